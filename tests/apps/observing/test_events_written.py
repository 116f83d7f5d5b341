"""Events are lines that a program reads, and hold no secret by whatever way it came in."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from nicegui.events import GenericEventArguments

from commonwatt.apps.api.armour import SESSION, Armour
from commonwatt.apps.api.problems import Problem, explain_problems
from commonwatt.apps.observing.asked import Watched
from commonwatt.apps.observing.events import HIDDEN, LIBRARY, Form, note_ask, write_events
from commonwatt.apps.web.context import Context
from commonwatt.identity.seat import PUBLIC
from commonwatt.model import Corrupt, Erased, InvalidValue, Refused, Unreachable

SECRETS = (
    "hunter2",  # looks like nothing
    "cw_dG9rZW4tb2YtYS1wcm9ncmFt",
    "Zm9yZXZlci1hbmQtZXZlci1hbmQtZXZlcg",
    "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
)
ORIGIN = "https://sun.example"
BROKEN = "something here is broken; it is noted"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Write events into memory, and put all back afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("commonwatt")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    write_events(Form.JSON, stream)
    yield stream
    root.handlers[:], root.level, ours.level = before
    logging.captureWarnings(False)


def told(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def careless(raises: bool) -> FastAPI:
    """Return an application that says and raises whatever it is sent."""
    app = FastAPI()
    explain_problems(app)

    @app.api_route("/things/{name}", methods=["GET", "POST"])
    async def things(request: Request, name: str) -> None:
        sent = f"{name} {request.url} {dict(request.headers)} {request.cookies} {(await request.body()).decode()}"
        logging.getLogger("some.library").error(f"what came: {sent}")
        logging.getLogger("some.library").error("what came: %s", sent)
        logging.getLogger("some.library").warning("what came: %(sent)s", {"sent": sent})
        warnings.warn(sent, stacklevel=1)
        asyncio.get_running_loop().call_exception_handler({"message": sent, "exception": ValueError(sent)})
        if raises:
            try:
                raise ValueError(sent)
            except ValueError as error:
                raise RuntimeError({"found": sent}) from error
        raise Refused("a rule", found=sent)

    app.add_middleware(Armour, origins=(ORIGIN,))
    app.add_middleware(Watched, ticks_ns=iter(range(0, 10**9, 1_000)).__next__, hear=(note_ask,))
    return app


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_reaches_an_event_by_path_query_header_cookie_body_or_error(
    lines: io.StringIO, secret: str, raises: bool
) -> None:
    async def ask() -> None:
        transport = httpx.ASGITransport(careless(raises))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            headers = {"Authorization": f"Bearer {secret}", "X-Api-Key": secret, "Cookie": f"{SESSION}={secret}"}
            asked = client.post(
                f"/things/{secret}?token={secret}",
                headers={**headers, "Origin": ORIGIN},
                json={"password": secret, "code": secret},
            )
            try:
                await asked
            except RuntimeError as error:  # what a web server says then
                logging.getLogger("uvicorn.error").error(f"Exception in ASGI application {error}", exc_info=error)
            await client.get("/elsewhere", headers={"traceparent": secret})

    asyncio.run(ask())
    found = told(lines)
    assert [one["route"] for one in found if one["event"] == "answered"] == ["/things/{name}", "unrouted"]
    assert len(found) >= 7, "the library spoke, too"
    assert secret not in lines.getvalue()
    kinds = [error["kind"] for one in found if one["from"] == "uvicorn.error" for error in one["errors"]]
    assert kinds == (["RuntimeError", "ValueError"] if raises else [])


@pytest.mark.parametrize(
    ("error", "status", "level"),
    [
        (Corrupt("hunter2"), 500, "error"),
        (OSError("hunter2"), 503, "warning"),
        (Unreachable("hunter2"), 503, "warning"),
        (Erased("hunter2"), 410, ""),
        (InvalidValue("hunter2"), 422, ""),
        (Refused("hunter2"), 403, ""),
    ],
)
def test_what_an_answer_says_is_noted_is_noted_with_its_place_and_a_no_is_not(
    lines: io.StringIO, error: Exception, status: int, level: str
) -> None:
    app = FastAPI()
    explain_problems(app)

    @app.get("/")
    async def breaks() -> None:
        raise error

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client:
            return await client.get("/")

    assert asyncio.run(ask()).status_code == status
    noted = [(one["level"], one["errors"][0]["kind"], one["errors"][0]["at"][-1]) for one in told(lines)]
    assert [one[:2] for one in noted] == ([(level, type(error).__name__)] if level else [])
    assert all(at.startswith("test_events_written.py:") for _, _, at in noted)
    assert "hunter2" not in lines.getvalue()


@pytest.mark.parametrize(("error", "said"), [(KeyError("hunter2"), BROKEN), (Problem(HTTPStatus.CONFLICT, "no"), "no")])
def test_a_control_whose_handler_fails_says_so_and_what_failed_is_noted(
    lines: io.StringIO, error: Exception, said: str
) -> None:
    client = _OpenPage()
    context = Context(community=None, seat=PUBLIC, words=None, now_s=int, live=None, client=client)  # type: ignore[arg-type]

    def handler(value: object) -> None:
        raise error

    event = GenericEventArguments(sender=None, client=None, args={"detail": {"name": "press"}})  # type: ignore[arg-type]
    asyncio.run(context._handle({"press": handler}, event))
    assert client.ran == [f'cw.announce("{said}")']
    kinds = [(one["level"], one["errors"][0]["kind"]) for one in told(lines)]
    assert kinds == ([("error", "KeyError")] if isinstance(error, KeyError) else [])
    assert "hunter2" not in lines.getvalue()


class _OpenPage:
    """Stands for a browser's page: keeps what it was made to run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __enter__(self) -> None:
        """Be the page that is spoken to."""

    def __exit__(self, *_: object) -> None:
        """Be it no longer."""

    def run_javascript(self, code: str) -> None:
        self.ran.append(code)


def test_an_error_that_nobody_expected_is_told_by_kind_and_place_with_what_caused_it(lines: io.StringIO) -> None:
    log = logging.getLogger("uvicorn.error")
    try:
        try:
            raise KeyError("hunter2")
        except KeyError as error:
            raise Refused("tokens are good for something", token="hunter2") from error
    except Refused:
        log.exception("Exception in ASGI application with hunter2")
    (event,) = told(lines)
    assert (event["event"], event["from"], event["level"]) == (LIBRARY, "uvicorn.error", "error")
    outer, inner = event["errors"]
    assert (outer["kind"], outer["rule"], inner["kind"]) == ("Refused", "tokens are good for something", "KeyError")
    assert outer["at"][0].startswith("test_events_written.py:")
    assert "hunter2" not in lines.getvalue()


def test_our_own_words_numbers_and_errors_are_told_and_what_looks_like_a_secret_is_not(lines: io.StringIO) -> None:
    log = logging.getLogger("commonwatt.apps.somewhere")
    log.warning("a feed could not be computed: feed %s, found %s", ("home", "member-07"), Refused("no", account="anna"))
    log.warning("%s of %d at %s, %s", "disk", 7, f"Bearer {SECRETS[1]}", f"password={SECRETS[0]}")
    log.warning("many words %s", f"x{SECRETS[2]}")
    first, second, third = told(lines)
    assert first["event"] == "a feed could not be computed: feed %s, found %s"
    assert first["found"] == ["tuple", {"kind": "Refused", "rule": "no", "at": []}]
    assert second["found"] == ["disk", 7, HIDDEN, HIDDEN]
    assert third["found"] == [HIDDEN]
    assert first["time"].endswith("Z") and first["level"] == "warning"


def test_for_a_person_the_same_stands_on_one_line_and_asks_are_not_told() -> None:
    stream, handler = io.StringIO(), None
    root, ours = logging.getLogger(), logging.getLogger("commonwatt")
    before = root.handlers[:], root.level, ours.level
    try:
        handler = write_events(Form.TEXT, stream)
        logging.getLogger("commonwatt.x").warning("not ready: %s, found %s", "disk", OSError("hunter2"))
    finally:
        root.handlers[:], root.level, ours.level = before
        logging.captureWarnings(False)
    assert handler is not None
    (line,) = stream.getvalue().splitlines()
    assert " warning not ready: %s, found %s " in line and "OSError" in line and "hunter2" not in line


def test_the_web_server_writes_nothing_of_its_own(lines: io.StringIO) -> None:
    config = uvicorn.Config(careless(False), log_config=None, log_level="warning", access_log=False)
    config.load()
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received: hunter2")
    assert [one["event"] for one in told(lines)] == [LIBRARY]
