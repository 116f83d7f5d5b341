"""Show metrics to a Prometheus on this machine: a listener of its own that answers `GET /metrics` and nothing else."""

import asyncio
import logging
import socket
from contextlib import suppress
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

LOOPBACK = "127.0.0.1"
"""Metrics name nobody, and yet tell how a community lives: who is elsewhere comes through a tunnel."""
HEAD_WITHIN_S = 5.0
_MOST_HEAD = 8_192
_log = logging.getLogger(__name__)
_HOSTS = frozenset({LOOPBACK, "localhost"})


async def show_metrics(door: socket.socket, registry: CollectorRegistry) -> None:
    """Answer on a socket until cancelled; metrics are gathered on this loop, so nothing changes meanwhile.

    Args:
        door: Listens already.
        registry: What is shown.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(HEAD_WITHIN_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(head, registry))
                async with asyncio.timeout(HEAD_WITHIN_S):
                    await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(answer, sock=door, limit=_MOST_HEAD)
    async with server:
        await server.serve_forever()


def _answer(head: bytes, registry: CollectorRegistry) -> bytes:
    asked, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = asked.partition(" ")
    host = next((line[5:].strip().lower() for line in lines if line.lower().startswith("host:")), "")
    # A page of somebody's, whose name was made to lead here, asks by that name.
    if host.rpartition(":")[0] not in _HOSTS and host not in _HOSTS:
        return _told(HTTPStatus.MISDIRECTED_REQUEST, b"metrics are shown on this machine\n")
    if rest.partition(" ")[0].partition("?")[0] != "/metrics":
        return _told(HTTPStatus.NOT_FOUND, b"there is /metrics\n")
    if method != "GET":
        return _told(HTTPStatus.METHOD_NOT_ALLOWED, b"metrics are read\n")
    try:
        content = generate_latest(registry)
    except Exception:
        _log.exception("metrics could not be gathered")
        return _told(HTTPStatus.INTERNAL_SERVER_ERROR, b"metrics could not be gathered; it is noted\n")
    return _told(HTTPStatus.OK, content, CONTENT_TYPE_PLAIN_0_0_4)


def _told(status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8") -> bytes:
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + content
