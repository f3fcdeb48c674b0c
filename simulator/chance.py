"""Where the platforms' made-up numbers come from: seedable, so that a run can be repeated."""

import random
import string
import threading
from typing import TypeVar

T = TypeVar("T")

HEX = "0123456789abcdef"
ALNUM = string.ascii_letters + string.digits
BASE64URL = ALNUM + "-_"


class Chance:
    """A thread-safe source of ids; the same seed and epoch give the same ids."""

    def __init__(self, seed: str | None) -> None:
        self._lock = threading.Lock()
        # The ids stand for a test platform's; nothing outside this machine trusts them.
        self._random = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311

    def text(self, length: int, alphabet: str = ALNUM) -> str:
        """Return that many characters of the alphabet."""
        with self._lock:
            return "".join(self._random.choices(alphabet, k=length))

    def digits(self, length: int) -> str:
        """Return a number in digits that does not begin with 0."""
        return self.text(1, "123456789") + self.text(length - 1, string.digits)

    def share(self) -> float:
        """Return a number from 0 up to 1."""
        with self._lock:
            return self._random.random()

    def shuffled(self, items: list[T]) -> list[T]:
        """Return the items in another order."""
        with self._lock:
            return self._random.sample(items, len(items))
