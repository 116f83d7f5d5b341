"""What every answer wears and every write must show, for API and pages alike: an ASGI middleware around all of it."""

import re
import secrets
from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commonwatt.apps.api.problems import Problem, send_problem

SESSION = "__Host-commonwatt"
"""The cookie that holds a session's secret; a browser lets no other host and no plain HTTP set one of this name."""
BROWSER = "__Host-commonwatt-browser"
"""The cookie by which a browser is known where somebody signed in; it opens nothing, see `Where.browser`."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SCRIPT = re.compile(rb"<script(?=[\s>])")
_YEAR_S = 31_536_000
MOST_BYTES = 16 << 20
_MOST_HTML = 4 << 20


class Armour:
    """Adds the headers that keep browsers from doing what nobody asked for, and refuses what another site wrote.

    A write with a session's cookie must come from this site, as ``Origin`` or ``Sec-Fetch-Site`` tell; a program with a
    token has no cookie that another site could borrow. A WebSocket is a write: cookies travel with it, too.

    Scripts in pages get a nonce, so that none runs that came into a page later, and no attribute is a script. The web
    framework compiles templates in the browser, which takes ``unsafe-eval``, and sets styles on elements, which takes
    ``unsafe-inline`` for styles.

    Args:
        app: What is inside.
        origins: Where this site is, as browsers write it.
        https: Whether it is reached over TLS: then browsers are told never to try anything else.
        most_bytes: What somebody may send at once.
    """

    def __init__(
        self, app: ASGIApp, origins: Iterable[str], *, https: bool = True, most_bytes: int = MOST_BYTES
    ) -> None:
        self._app, self._origins, self._https, self._most_bytes = app, frozenset(origins), https, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  as ASGI has it
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and self._from_elsewhere(scope):
            await send({"type": "websocket.close", "code": 1008, "reason": "from another site"})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(18)
        dressing = _Dressing(send, nonce, self._headers(nonce))
        told: Problem | None = None
        length = Headers(scope=scope).get("content-length", "0")
        if scope["method"] not in _SAFE and self._from_elsewhere(scope):
            told = Problem(HTTPStatus.FORBIDDEN, "a write comes from this site's own pages")
        elif not length.isdigit() or int(length[:20]) > self._most_bytes:
            told = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"what is sent has {self._most_bytes} bytes at most")
        if told is not None:
            await send_problem(scope, dressing.send, told)
            return
        asked = Headers(scope=scope)
        if "text/html" in asked.get("accept", ""):
            # A page must pass here in the open, to get its nonces; whoever is outside may compress it.
            # Not in a scope of its own, whoever is outside still learns from this one to which route it came.
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._app(scope, self._counted(receive), dressing.send)

    def _counted(self, receive: Receive) -> Receive:
        """Let no more in than was announced at most: a body in pieces does not tell its length before."""
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._most_bytes:
                return {"type": "http.disconnect"}
            return message

        return counted

    def _from_elsewhere(self, scope: Scope) -> bool:
        """Tell whether something that carries a session's cookie was sent by another site's page."""
        headers = Headers(scope=scope)
        has_cookie = SESSION in cookie_parser(headers.get("cookie", ""))
        if not has_cookie and "authorization" in headers:
            return False
        origin = headers.get("origin")
        if origin is not None:
            # Also without a cookie: nobody may be signed in by another site, as somebody else.
            return origin not in self._origins
        return has_cookie and headers.get("sec-fetch-site") != "same-origin"

    def _headers(self, nonce: str) -> dict[str, str]:
        told = {
            "Content-Security-Policy": _policy(nonce, self._origins),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), usb=(), payment=()",
        }
        if self._https:
            told["Strict-Transport-Security"] = f"max-age={_YEAR_S}"
        return told


class _Dressing:
    """Sends an answer with its headers, and a page with its nonces: a page is held back until it is whole."""

    def __init__(self, send: Send, nonce: str, headers: dict[str, str]) -> None:
        self._send, self._nonce, self._headers = send, nonce, headers
        self._held: Message | None = None
        self._page = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            html = headers.get("content-type", "").startswith("text/html")
            if html and "content-encoding" not in headers:
                self._held = message
                return
        elif message["type"] == "http.response.body" and self._held is not None:
            self._page += message.get("body", b"")
            if message.get("more_body", False) and len(self._page) <= _MOST_HTML:
                return
            await self._let_go(message)
            return
        await self._send(message)

    async def _let_go(self, last: Message) -> None:
        assert self._held is not None
        content = _SCRIPT.sub(b'<script nonce="' + self._nonce.encode() + b'"', bytes(self._page))
        headers = MutableHeaders(scope=self._held)
        if last.get("more_body", False):
            del headers["content-length"]  # more comes, to which nothing is added: its end tells how long it was
        elif "content-length" in headers and self._page:
            headers["content-length"] = str(len(content))
        await self._send(self._held)
        self._held = None
        await self._send({**last, "body": content})


def _policy(nonce: str, origins: Iterable[str]) -> str:
    # Some browsers do not take a socket of the same site for the same.
    sockets = " ".join(sorted("ws" + origin.removeprefix("http") for origin in origins))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self' {sockets}",
            "worker-src 'self'",
            "manifest-src 'self'",
            "media-src 'self' blob:",
            "form-action 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            "frame-ancestors 'none'",
        )
    )
