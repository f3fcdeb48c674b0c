import contextlib
import socket
from collections.abc import Iterator

import pytest

from localstack.ports import Port


@pytest.fixture
def listening() -> Iterator[int]:
    with contextlib.closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


class TestPort:
    def test_next_free_one_is_taken_when_something_listens(self, listening):
        with Port(listening) as port:
            assert port.number > listening
            assert not port.is_preferred

    def test_two_takers_never_get_the_same(self):
        with (
            Port(None) as mine,
            Port(mine.number) as yours,
        ):
            assert yours.number != mine.number

    def test_port_given_up_can_be_taken_again(self):
        first = Port(None)
        first.let_go()

        with Port(first.number) as second:
            assert second.number == first.number
            assert second.is_preferred
