"""Say what is wrong as RFC 9457 tells it: which rule, which thing, and what was found."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope, Send

from commonwatt.apps.proving import Busy
from commonwatt.apps.views.seeing import Absent, Unseen
from commonwatt.flexibility.permission import Objection
from commonwatt.flows.entrance.hall import NotLetIn, TooSoon
from commonwatt.model import Corrupt, Erased, InvalidValue, Outcome, Refused, Unreachable

_log = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
_BY_OUTCOME = {
    Outcome.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Outcome.UNKNOWN_THING: HTTPStatus.NOT_FOUND,
    Outcome.ALREADY_THERE: HTTPStatus.CONFLICT,
    Outcome.WRONG_SEQUENCE: HTTPStatus.CONFLICT,
    Outcome.TOO_LATE: HTTPStatus.CONFLICT,
    Outcome.NOT_BACKED: HTTPStatus.CONFLICT,
    Outcome.OVER_LIMIT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outcome.MALFORMED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outcome.BAD_SIGNATURE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outcome.UNKNOWN_KEY: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outcome.WRONG_COMMUNITY: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Problem(Exception):
    """An answer that is no: status, the rule in words, the thing, and what was found.

    Args:
        status: Of HTTP.
        rule: Which rule says so, in words.
        thing: What it is about; empty where that is plain.
        found: What was found, by name.
    """

    def __init__(self, status: HTTPStatus, rule: str, thing: str = "", **found: object) -> None:
        self.status, self.rule, self.thing, self.found = status, rule, thing, found
        super().__init__(rule)

    def body(self, instance: str) -> bytes:
        """Return it as JSON.

        Args:
            instance: The path that was asked for.
        """
        told = {
            name: value if isinstance(value, int | bool | None) else str(value) for name, value in self.found.items()
        }
        detail = ", ".join(f"{name} {value}" for name, value in told.items())
        return msgspec.json.encode(
            {
                "type": "about:blank",
                "title": self.status.phrase,
                "status": int(self.status),
                "detail": f"{self.rule}: {detail}" if detail else self.rule,
                "instance": instance,
                "rule": self.rule,
                "thing": self.thing,
                "found": told,
            }
        )


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of every answer that is no, for the API's description."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    rule: str
    thing: str
    found: dict[str, str | int | bool | None]


def missing(rule: str, thing: str, **found: object) -> Problem:
    """Return that there is no such thing, which is also what is said of another's, so that nobody learns of it."""
    return Problem(HTTPStatus.NOT_FOUND, rule, thing, **found)


def of_outcome(outcome: Outcome, thing: str, **found: object) -> Problem:
    """Return the log's own no to a request."""
    status = _BY_OUTCOME.get(outcome, HTTPStatus.CONFLICT)
    return Problem(status, "the log takes what its rules allow", thing, outcome=outcome.value, **found)


def of_objection(objection: Objection, thing: str) -> Problem:
    """Return a no of the log's own rules that is known before anything is sent, with the rule in words."""
    status = _BY_OUTCOME.get(objection.outcome, HTTPStatus.CONFLICT)
    return Problem(status, objection.rule, thing, outcome=objection.outcome.value, **objection.found)


def explain_problems(app: FastAPI) -> None:
    """Answer every error of ours, and of what came in, as a problem; an error of nobody's making tells nothing."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return _answer(request, error)

    async def refused(request: Request, error: Exception) -> Response:
        return _answer(request, problem_of(error))

    async def unreadable(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0] if error.errors() else {"loc": (), "msg": "not what is asked for"}
        where = ".".join(str(part) for part in first["loc"])
        told = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "a request has the shape that the API tells", where)
        told.found = {"where": where, "says": first["msg"]}
        return _answer(request, told)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        return _answer(request, Problem(status, str(error.detail) or status.phrase), error.headers)

    async def unforeseen(request: Request, error: Exception) -> Response:
        return _answer(request, broken())  # it is raised on, and noted by the server

    app.add_exception_handler(Problem, problem)
    for kind in (Absent, Unseen, Refused, Corrupt, InvalidValue, Unreachable, OSError):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(RequestValidationError, unreadable)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


async def send_problem(scope: Scope, send: Send, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
    """Answer with a problem from outside of the application; a socket that nobody opened yet is not opened.

    Args:
        scope: What was asked, as ASGI has it.
        send: Sends the answer.
        problem: The answer.
        headers: Further ones.
    """
    content = problem.body(scope["path"])
    told = {"Content-Type": PROBLEM, "Content-Length": str(len(content)), **_headers(problem), **(headers or {})}
    start, body = "http.response.start", "http.response.body"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1013, "reason": problem.rule})
            return
        start, body = f"websocket.{start}", f"websocket.{body}"
    raw = [(name.lower().encode(), value.encode()) for name, value in told.items()]
    await send({"type": start, "status": int(problem.status), "headers": raw})
    await send({"type": body, "body": content})


def problem_of(error: Exception, at: str = "") -> Problem:
    """Return what is told of an error; whatever is not for who asked to mend is noted here, with where it came from.

    Args:
        error: Any.
        at: Where it happened, in words of our own source; empty where its traceback says enough.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, TooSoon):
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, error.rule, retry_after_s=error.wait_s)
    if isinstance(error, NotLetIn):
        return Problem(HTTPStatus.UNAUTHORIZED, error.rule)
    if isinstance(error, Busy):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.rule, "", **error.found, retry_after_s=error.wait_s)
    if isinstance(error, Refused):
        return Problem(HTTPStatus.FORBIDDEN, error.rule, next(iter(map(str, error.found.values())), ""), **error.found)
    if isinstance(error, Absent):
        return missing(error.rule, error.thing)
    if isinstance(error, Unseen):
        return missing("there is nothing by this name for who asks", error.thing)
    if isinstance(error, Erased):
        return Problem(HTTPStatus.GONE, str(error))
    if isinstance(error, InvalidValue):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    if isinstance(error, Unreachable | OSError):
        _log.warning("what was asked gave no answer: %s", at or "see where", exc_info=error)
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "what was asked gave no answer in time; ask again")
    if isinstance(error, Corrupt):
        _log.error("stored data contradicts itself: %s", at or "see where", exc_info=error)
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "stored data contradicts itself; it is noted")
    _log.error("something is broken: %s", at or "see where", exc_info=error)
    return broken()


def broken() -> Problem:
    """Return what is told of an error of nobody's making."""
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something here is broken; it is noted")


def _answer(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    told = {**_headers(problem), **(headers or {})}
    return Response(problem.body(request.url.path), status_code=int(problem.status), media_type=PROBLEM, headers=told)


def _headers(problem: Problem) -> dict[str, str]:
    wait_s = problem.found.get("retry_after_s")
    return {"Cache-Control": "no-store"} | ({} if wait_s is None else {"Retry-After": str(wait_s)})


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}
"""How every route may say no, for the API's description."""
