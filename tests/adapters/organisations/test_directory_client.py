"""An organisation's directory is asked where it is: no redirects, no plain HTTP, no answer without end."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from commonwatt.adapters.organisations.client import DirectoryClient
from commonwatt.model import Corrupt, InvalidValue, Unreachable

URL = "https://id.example/keys"


def asks(answer: Callable[[httpx.Request], httpx.Response], url: str = URL, times: int = 1) -> list[str]:
    """Ask for keys; return which addresses were really asked."""
    asked = list[str]()

    def take(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answer(request)

    async def story() -> None:
        directory = DirectoryClient(lambda: 0.0)
        directory._client._transport = httpx.MockTransport(take)  # with the settings that the client made itself
        try:
            for _ in range(times):
                await directory.keys(url)
        finally:
            await directory.close()

    try:
        asyncio.run(story())
    except (Corrupt, InvalidValue, Unreachable):
        asked.append("refused")
    return asked


def test_a_redirect_to_this_machine_is_not_followed() -> None:
    moved = httpx.Response(302, headers={"Location": "http://127.0.0.1:9464/metrics"})
    assert asks(lambda request: moved) == [URL, "refused"]


@pytest.mark.parametrize("url", ["http://id.example/keys", "file:///etc/passwd", "ftp://id.example/"])
def test_nobody_is_asked_over_anything_but_https(url: str) -> None:
    assert asks(lambda request: httpx.Response(200, json={}), url) == ["refused"]


def test_an_answer_without_end_is_cut_off() -> None:
    assert asks(lambda request: httpx.Response(200, content=b"x" * 1_000_000)) == [URL, "refused"]


def test_an_organisation_is_asked_once_in_some_minutes_however_many_come_in() -> None:
    assert asks(lambda request: httpx.Response(200, json={"keys": []}), times=20) == [URL]
