"""The application on a lived street: to be looked at, and with its door open, to be written to."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet, open_door
from seats import ToldSeats

from commonwatt.apps.api.app import make_app
from commonwatt.apps.community import Community


@pytest.fixture(scope="session")
def client(lived: LivedStreet) -> Iterator[TestClient]:
    with TestClient(make_app(lambda: Community(lived.folder, lambda: lived.end_s, lambda: None), ToldSeats())) as found:
        yield found


@pytest.fixture
def open_client(lived_copy: LivedStreet) -> Iterator[TestClient]:
    """The same with an open door, in a loop of its own beside."""
    opened, stop, ports = threading.Event(), asyncio.Event(), list[int]()
    loop = asyncio.new_event_loop()

    async def keep() -> None:
        async with open_door(lived_copy) as port:
            ports.append(port)
            opened.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(keep(),), daemon=True)
    with ExitStack() as doors:
        thread.start()
        doors.callback(thread.join, 20)
        doors.callback(loop.call_soon_threadsafe, stop.set)
        assert opened.wait(20)
        app = make_app(
            lambda: Community(lived_copy.folder, lambda: lived_copy.end_s, lambda: ("127.0.0.1", ports[0])), ToldSeats()
        )
        yield doors.enter_context(TestClient(app))
