"""The reports under test."""

import pytest


@pytest.fixture
def reports(services):
    return services.reports
