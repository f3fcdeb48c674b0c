import pytest

from domain.actors import operator


@pytest.fixture
def verify(services):
    return lambda: {
        check.title: check.broken
        for check in services.ledger.verify(actor=operator())
        if not check.holds
    }


class TestVerify:
    def test_an_empty_ledger_keeps_every_promise(self, verify):
        assert verify() == {}
