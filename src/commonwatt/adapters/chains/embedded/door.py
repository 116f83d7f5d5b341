"""The embedded chain's JSON-RPC over HTTP, on this machine alone, so that ordinary wallets connect."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from commonwatt.adapters.chains.embedded.methods import INVALID, Methods, RpcError

MOST_BYTES = 1 << 20
MOST_AT_ONCE = 100
"""Calls in one batch."""
TURNS = 2
"""Requests that are worked on at once: whoever keeps the community's log runs in the same interpreter."""
LIGHT_S, BATCH_S = 0.1, 10.0
"""Processor time after which a request is followed by a rest as long as itself, and no more of its batch is begun: gas
costs nothing here, so nobody else bounds what somebody on this machine can have computed."""
_BUSY = -32005
_PARSE = -32700
_WALLETS = ("chrome-extension://", "moz-extension://", "safari-web-extension://")
"""Pages of a wallet that lives in a browser; no site on the web can be called so."""
_DAY_S = "86400"


class _Call(msgspec.Struct):
    method: str
    jsonrpc: str = "2.0"
    id: str | int | float | None = None
    params: list[Any] = []


def rpc_app(methods: Methods, port: int, origins: Iterable[str] = ()) -> FastAPI:
    """Return the application that takes JSON-RPC calls at ``POST /``, one or a batch.

    It is for programs and wallets on this machine. A page of the web gets nothing: a browser tells where a page is from
    (``Origin``), and a name that was bent to this machine shows as ``Host`` (DNS rebinding). Whatever is asked, no
    method holds a key: what comes in is signed, or changes nothing.

    Args:
        methods: The chain's answers.
        port: Where it is served, on 127.0.0.1 and ::1.
        origins: Sites whose pages may ask as well, as browsers write them: the community's own.

    Source: JSON-RPC 2.0; Ethereum JSON-RPC, https://ethereum.github.io/execution-apis/.
    """
    hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))
    welcome = frozenset(origins)
    turns = asyncio.Semaphore(TURNS)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def stranger(request: Request) -> Response | None:
        if request.headers.get("host", "") not in hosts:
            return Response("this name is not mine", 421)
        origin = request.headers.get("origin")
        if origin is not None and origin not in welcome and not origin.startswith(_WALLETS):
            return Response("pages of other sites may not ask", 403)
        return None

    def seen_by(request: Request) -> dict[str, str]:
        origin = request.headers.get("origin")
        return {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    async def in_turn(content: bytes) -> bytes:
        spent_s = 0.0
        await turns.acquire()
        try:
            told, spent_s = await run_in_threadpool(_timed, methods, content)
        finally:
            if spent_s > LIGHT_S:
                asyncio.get_running_loop().call_later(spent_s, turns.release)
            else:
                turns.release()
        return told

    @app.options("/")
    async def preflight(request: Request) -> Response:
        return stranger(request) or Response(
            None,
            204,
            seen_by(request)
            | {
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "content-type",
                "Access-Control-Allow-Private-Network": "true",
                "Access-Control-Max-Age": _DAY_S,
            },
        )

    @app.post("/")
    async def call(request: Request) -> Response:
        if (refused := stranger(request)) is not None:
            return refused
        # Nothing else: for a form or plain text a browser would not ask first whether this page may.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return Response("JSON is taken", 415)
        content = await _content(request)
        if content is None:
            return Response("too large", 413)
        told = await in_turn(content)
        return Response(told, 200 if told else 204, seen_by(request), media_type="application/json")

    return app


def _timed(methods: Methods, content: bytes) -> tuple[bytes, float]:
    """Return what is answered, and how much processor time that took."""
    began_s = time.thread_time()
    told = _answered(methods, content)
    return told, time.thread_time() - began_s


def _answered(methods: Methods, content: bytes) -> bytes:
    end_s = time.thread_time() + BATCH_S
    try:
        asked = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(_error(None, _PARSE, "this is no JSON"))
    if not isinstance(asked, list):
        told = _one(methods, asked)
        return b"" if told is None else msgspec.json.encode(told)
    if not 0 < len(asked) <= MOST_AT_ONCE:
        return msgspec.json.encode(_error(None, INVALID, f"a batch has 1 to {MOST_AT_ONCE} calls"))
    answers = [told for told in (_one(methods, one, end_s) for one in asked) if told is not None]
    return msgspec.json.encode(answers) if answers else b""


def _one(methods: Methods, asked: Any, end_s: float = float("inf")) -> dict[str, Any] | None:
    try:
        call = msgspec.convert(asked, _Call)
    except msgspec.ValidationError as error:
        return _error(None, INVALID, f"this is no call: {error}")
    if time.thread_time() > end_s:
        return _error(call.id, _BUSY, "this batch took too long: ask for less at once")
    try:
        told = {"jsonrpc": "2.0", "id": call.id, "result": methods.answer(call.method, call.params)}
    except RpcError as error:
        told = {"jsonrpc": "2.0", "id": call.id, "error": error.told}
    # Whoever names no id wants no answer.
    return told if "id" in asked else None


def _error(call: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call, "error": {"code": code, "message": message}}


async def _content(request: Request) -> bytes | None:
    """Return the body, or None as soon as it proves too large, whatever its length was said to be."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            return None
    return bytes(content)
