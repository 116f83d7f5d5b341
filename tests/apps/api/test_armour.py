"""The armour lets pages work and nothing else: no script that came later, no write and no socket of another site."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from commonwatt.apps.api.armour import SESSION, Armour
from commonwatt.apps.api.returning import on_this_site

CHROMIUM = Path("/usr/bin/chromium")
ORIGIN = "https://sun.example"


def pass_through(scope: dict[str, Any], *answers: Message) -> tuple[list[Message], list[Scope]]:
    """Send a request through the armour; return what comes out, and what came in."""
    came, inside = list[Message](), list[Scope]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inside.append(scope)
        for answer in answers:
            await send(answer)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        came.append(message)

    asyncio.run(Armour(app, (ORIGIN,))({"method": "GET", "path": "/", "headers": [], **scope}, receive, send))
    return came, inside


def headers(**told: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()]


@pytest.mark.parametrize(
    ("told", "let"),
    [
        ({}, True),
        ({"origin": ORIGIN}, True),
        ({"origin": "https://evil.test"}, False),
        ({"origin": "null"}, False),
        ({"cookie": f"{SESSION}=x"}, False),
        ({"cookie": f"{SESSION}=x", "origin": ORIGIN}, True),
        ({"cookie": f"{SESSION}=x", "origin": "http://sun.example"}, False),
        ({"cookie": f"{SESSION}=x", "authorization": "Bearer cw_x"}, False),
        ({"authorization": "Bearer cw_x", "origin": "https://elsewhere.test"}, True),
        ({"cookie": "another=x"}, True),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_write_or_socket_with_a_cookie_comes_from_this_site(kind: str, told: dict[str, str], let: bool) -> None:
    _, inside = pass_through({"type": kind, "method": "POST", "headers": headers(**told)})
    assert bool(inside) == let


def test_a_read_may_come_from_anywhere() -> None:
    _, inside = pass_through({"type": "http", "headers": headers(origin="https://evil.test", cookie=f"{SESSION}=x")})
    assert inside


def test_every_script_of_a_page_has_the_nonce_of_its_answer_and_the_next_has_another() -> None:
    page = b"<script>1</script><SCRIPT></SCRIPT><script src='x'></script><scripture>"
    start = {"type": "http.response.start", "status": 200, "headers": headers(content_type="text/html; charset=utf-8")}
    start["headers"].append((b"content-length", b"%d" % len(page)))
    body = [
        {"type": "http.response.body", "body": page[:10], "more_body": True},
        {"type": "http.response.body", "body": page[10:]},
    ]
    seen = set()
    for _ in range(2):
        out, _ = pass_through({"type": "http"}, {**start, "headers": list(start["headers"])}, *body)
        told = dict(out[0]["headers"])
        policy = told[b"content-security-policy"].decode()
        (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
        content = b"".join(one["body"] for one in out[1:])
        assert content.count(f'<script nonce="{nonce}"'.encode()) == 2 and b"<scripture>" in content
        assert told[b"content-length"] == b"%d" % len(content)
        seen.add(nonce)
    assert len(seen) == 2


def test_what_is_no_page_passes_as_it_is() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": headers(content_type="application/json")}
    out, _ = pass_through({"type": "http"}, start, {"type": "http.response.body", "body": b'{"a":"<script>"}'})
    assert out[1]["body"] == b'{"a":"<script>"}'


def test_a_page_without_end_is_passed_on_without_a_length() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": headers(content_type="text/html")}
    start["headers"].append((b"content-length", b"9000000"))
    pieces = [{"type": "http.response.body", "body": b"<script>" + b"x" * 4_499_992, "more_body": True}]
    out, _ = pass_through({"type": "http"}, start, *pieces, {"type": "http.response.body", "body": b"y" * 4_500_000})
    assert b"content-length" not in dict(out[0]["headers"])
    assert b"".join(one["body"] for one in out[1:]).count(b"<script nonce=") == 1
    assert sum(len(one["body"]) for one in out[1:]) > 9_000_000


@pytest.mark.parametrize(
    "told", [{"content_length": "16777217"}, {"content_length": "-1"}, {"content_length": "9" * 30}]
)
def test_what_is_too_long_is_refused_before_it_comes(told: dict[str, str]) -> None:
    out, inside = pass_through({"type": "http", "method": "POST", "headers": headers(**told)})
    assert not inside and out[0]["status"] == 413


def test_what_does_not_tell_its_length_ends_where_it_is_too_long() -> None:
    came = list[int]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "http.request":
            came.append(len(message["body"]))

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(400), "more_body": True}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(Armour(app, (ORIGIN,), most_bytes=1_000)(scope, receive, send))
    assert came == [400, 400]


@pytest.mark.parametrize("path", ["/", "/zones", "/a/b?c=d&e=%2F#f", "/home?next=//evil"])
def test_a_path_on_this_site_is_kept(path: str) -> None:
    assert on_this_site(path) == path


@pytest.mark.parametrize("path", [None, "//evil.test", "/\\evil", "https://evil.test", "/a\nb", "/a b", "evil", "/\tx"])
def test_any_other_leads_home(path: str | None) -> None:
    assert on_this_site(path) == "/"


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    program = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "armoured_page.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdin is not None and program.stdout is not None
    port = program.stdout.readline().strip()
    assert port.isdigit()
    yield f"http://localhost:{port}"
    program.stdin.close()
    program.wait(30)


@pytest.mark.row("W8")
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium, see scripts/servers.sh")
def test_a_page_works_inside_the_armour_and_no_script_that_came_later_runs(site: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    said = list[str]()
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(site)
        page.get_by_role("button", name="press").click(timeout=30_000)
        page.get_by_text("pressed", exact=True).wait_for(timeout=30_000)
        page.locator("canvas").wait_for(timeout=30_000)
        page.get_by_role("button", name="draw").click()
        page.wait_for_function("document.title === 'drawn'", timeout=30_000)
        assert [line for line in said if "Content Security Policy" in line] == []
        page.evaluate(
            "() => { window.ran = 0; const box = document.createElement('div'); document.body.append(box);"
            ' box.innerHTML = \'<img src=x onerror="window.ran++"><button onclick="window.ran++">evil</button>\';'
            " const script = document.createElement('script'); script.textContent = 'window.ran++'; box.append(script);"
            " box.querySelector('button').click(); }"
        )
        page.wait_for_function("() => document.querySelector('img[src=x]').complete", timeout=30_000)
        assert page.evaluate("window.ran") == 0
        assert len([line for line in said if "Content Security Policy" in line]) >= 2
        browser.close()
