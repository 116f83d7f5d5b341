"""A Mosquitto broker of the tests' own on loopback."""

import atexit
import socket
from contextlib import closing
from functools import cache

import pytest

from servers.started import Started


class Mosquitto(Started):
    """A broker process; starts within a second.

    Args:
        *settings: Lines for mosquitto.conf; without any, everybody is let in.
        port: Where it listens; a free one where nothing is said.
    """

    def __init__(self, *settings: str, port: int = 0) -> None:
        self.port = port or free_port()
        super().__init__("an MQTT broker", "mosquitto", str(self.port), *settings)
        self.until_it_answers(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close(), OSError)


def free_port() -> int:
    """Return a port of loopback that nobody listens on just now."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@cache
def shared() -> Mosquitto:
    """Return a broker for the whole process, stopped at its end."""
    broker = Mosquitto()
    atexit.register(broker.stop)
    return broker


@pytest.fixture(scope="session")
def mosquitto() -> Mosquitto:
    """A broker for the whole session; every test takes topics of its own in it."""
    return shared()
