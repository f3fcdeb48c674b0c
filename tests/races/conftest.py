"""Threads that really start together."""

import threading

import pytest

from tests.services.payments.conftest import (  # noqa: F401 - fixtures of the same story
    bills,
    make_payer,
    payer,
    start,
    trade_for,
)


@pytest.fixture
def together():
    """Run a callable in many threads at the same instant and give what each returned or raised."""

    def run(*works):
        barrier = threading.Barrier(len(works))
        results = [None] * len(works)

        def one(index, work):
            barrier.wait(timeout=30)
            try:
                results[index] = work()
            except Exception as error:  # noqa: BLE001 - handed to the test
                results[index] = error

        threads = [
            threading.Thread(target=one, args=(index, work)) for index, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run
