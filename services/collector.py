"""Bulk work makes very many plain objects, which the cycle collector need not look at."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting_collector() -> Iterator[None]:
    """Let the cycle collector rest: bulk work is hundreds of thousands of tuples without a cycle.

    Looking at them again and again would take two fifths of the time that a bill run takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
