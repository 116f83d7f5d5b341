"""Answer what no route of the API takes, as the API does, and HEAD as GET without its body.

Pages are mounted at the root and would take whatever routes leave: a wrong method, too.
"""

from http import HTTPStatus

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commonwatt.apps.api.problems import missing

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


def answer_elsewhere(app: FastAPI, under: str) -> None:
    """Answer every address below a path that no route of an application takes; to be called after all routes.

    Args:
        app: The application.
        under: The path, such as ``/api``.
    """
    # An endpoint that is an application itself takes every method, and is in no description.
    app.router.routes.append(Route(f"{under}/{{path:path}}", _nothing_here, include_in_schema=False))


class _NothingHere:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if allowed := _methods_of(Request(scope)):
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})
        raise missing("there is nothing at this address", scope["path"])


_nothing_here = _NothingHere()


def _methods_of(request: Request) -> list[str]:
    """Return what a path answers to: several routes share one, of which the framework tells the first one's methods."""
    routes = [
        one
        for one in request.app.routes
        if not isinstance(one, Mount) and getattr(one, "endpoint", None) is not _nothing_here
    ]
    asked = {method: {**request.scope, "method": method} for method in _METHODS}
    found = [method for method in _METHODS if any(one.matches(asked[method])[0] is Match.FULL for one in routes)]
    return sorted([*found, "HEAD"]) if "GET" in found else found


class HeadAsGet:
    """Answers HEAD as GET would be, as far as its headers (RFC 9110, 9.3.2); a stream is not waited for.

    Args:
        app: What is inside, which need not know of HEAD.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  as ASGI has it
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        got, over = {**scope, "method": "GET"}, False

        async def headers_alone(message: Message) -> None:
            nonlocal over
            if message["type"] == "http.response.start":
                if "route" in got:  # whoever looks on from outside tells asks by their route
                    scope["route"] = got["route"]
                await send(message)
            elif not over:
                over = True
                # The answer is whole with this, so that a stream hears that nobody listens any more.
                await send({"type": "http.response.body", "body": b""})

        await self._app(got, receive, headers_alone)
