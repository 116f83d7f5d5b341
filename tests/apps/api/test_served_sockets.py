"""From where somebody comes is what the socket says, on every server of ours: tries and asks are counted by it."""

import asyncio
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from commonwatt.apps.api.serving import server
from commonwatt.apps.publishing import listen
from commonwatt.apps.web.serving import socket_settings


def app() -> FastAPI:
    found = FastAPI()

    @found.get("/")
    async def where(request: Request) -> list[Any]:
        return [request.client.host if request.client else None, request.url.scheme]

    return found


@pytest.mark.parametrize("pages", [True, False])
def test_nobody_on_this_machine_says_that_they_come_from_elsewhere(pages: bool) -> None:
    served = uvicorn.Server(uvicorn.Config(app(), **socket_settings())) if pages else server(app())

    async def ask() -> httpx.Response:
        with listen("127.0.0.1", 0) as socket:
            running = asyncio.ensure_future(served.serve([socket]))
            try:
                async with httpx.AsyncClient() as client:
                    lies = {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "https"}
                    return await client.get(f"http://127.0.0.1:{socket.getsockname()[1]}/", headers=lies)
            finally:
                served.should_exit = True
                await running

    assert asyncio.run(ask()).json() == ["127.0.0.1", "http"]
