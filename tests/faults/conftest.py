"""The rig of the fault tests over the product's real engines, simulator and settings."""

from dataclasses import replace

import pytest

from domain.actors import operator
from tests.faults.rig import Notices, environment_of
from tests.faults.scenery import Scenery
from tests.jobs.conftest import (  # noqa: F401 - real workers and their queue
    enqueue,
    environment,
    redis,
    rq_queue,
    start,
)
from tests.services.payments.conftest import (  # noqa: F401 - fixtures of the same story
    SYSTEM,
    make_payer,
    people,
)

SLOT_S = 30
"""How often the timetable sweeps payments and refunds."""


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


@pytest.fixture
def sweeps(services, clock):
    """Do what the timetable does with payments and refunds, every 30 s by our clock.

    Runs until something is there and gives the seconds that took, or fails.
    """

    def sweeps(look, *, within_s=3600):
        began = clock.now()
        while not look():
            waited_s = (clock.now() - began).total_seconds()
            assert waited_s < within_s, f"not within {within_s} s by our clock"
            clock.advance(seconds=SLOT_S)
            services.sweep.sweep(actor=SYSTEM)
            services.refunds.send_due(actor=SYSTEM)
        return (clock.now() - began).total_seconds()

    return sweeps
