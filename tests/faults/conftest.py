"""The rig of the fault tests over the product's real engines, simulator and settings."""

from dataclasses import replace

import pytest

from domain.actors import operator
from tests.faults.rig import Notices, environment_of
from tests.faults.scenery import Scenery


@pytest.fixture
def scenery(database, services):
    return Scenery(database, services)


@pytest.fixture
def notices(simulator, settings):
    return Notices(simulator.state_dir, settings.public_base_url)


@pytest.fixture
def env(settings):
    """The environment of processes of ours over the test's engines."""
    return environment_of(replace(settings, log_level="ERROR"))


@pytest.fixture
def promises(services):
    """Check every promise now, and tell how many rows were looked at."""

    def promises(of=services):
        checks = of.ledger.verify(actor=operator())
        assert [check for check in checks if not check.holds] == []
        return sum(check.looked_at for check in checks)

    return promises
