"""The line asks again where that is safe and nowhere else, keeps what has not changed, and says no as a rule."""

import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
import uvicorn

from commonwatt.adapters.stores.tls_files import tls_files
from commonwatt.apps.api.problems import PROBLEM, Problem
from commonwatt.client import AnswerIsNo, Client
from commonwatt.client.line import TRIES
from commonwatt.model import Corrupt, InvalidValue, Refused, Unreachable

HOME = b'{"told":"this"}'


class Answers(httpx.BaseTransport):
    """Answers in turn as told; the last one again and again."""

    def __init__(self, *told: Callable[[httpx.Request], httpx.Response]) -> None:
        self._told, self.asked = list(told), list[httpx.Request]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return (self._told.pop(0) if len(self._told) > 1 else self._told[0])(request)


def _ok(content: bytes = HOME, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, content=content, headers=headers)


def _no(status: HTTPStatus, **found: object) -> Callable[[httpx.Request], httpx.Response]:
    content = Problem(status, "a rule says no", "that", **found).body("/there")
    headers = {"Content-Type": PROBLEM} | ({"Retry-After": str(found["retry_after_s"])} if found else {})
    return lambda _: httpx.Response(status, content=content, headers=headers)


def _broken(kind: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def broken(request: httpx.Request) -> httpx.Response:
        raise kind("the line broke", request=request)

    return broken


def _client(told: Answers, waited: list[float] | None = None) -> Client:
    pause = (waited if waited is not None else list[float]()).append
    return Client("https://localhost", transport=told, pause=pause)


def test_reading_is_tried_again_with_longer_waits_and_no_sooner_than_asked() -> None:
    waited = list[float]()
    told = Answers(_broken(httpx.ReadError), _no(HTTPStatus.TOO_MANY_REQUESTS, retry_after_s=7), _ok(b"{}"))
    with pytest.raises(Corrupt, match="another shape"):
        _client(told, waited).devices.drivers()
    assert len(told.asked) == 3
    assert 0.1 < waited[0] < 0.3
    assert waited[1] == 7


def test_a_line_that_stays_broken_ends_in_one_error() -> None:
    for kind in (httpx.ReadTimeout, httpx.ConnectError):
        told = Answers(_broken(kind))
        with pytest.raises(Unreachable, match="no answer"):
            _client(told).wallets.months("member-05")
        assert len(told.asked) == TRIES


def test_a_write_is_tried_again_under_its_one_key() -> None:
    done = b'{"outcome":"BOOKED","position":7}'
    told = Answers(_broken(httpx.ReadTimeout), _no(HTTPStatus.SERVICE_UNAVAILABLE), _ok(done))
    assert _client(told).assets.state("member-05", {"text": "x"}).position == 7
    keys = {request.headers["Idempotency-Key"] for request in told.asked}
    assert (len(told.asked), len(keys)) == (3, 1)
    _client(told).assets.state("member-05", {"text": "x"})
    assert told.asked[-1].headers["Idempotency-Key"] not in keys
    _client(told).assets.state("member-05", {"text": "x"}, key="mine")
    assert told.asked[-1].headers["Idempotency-Key"] == "mine"


def test_what_may_have_been_done_is_not_asked_for_twice_where_nothing_tells_repeats_apart() -> None:
    for answer in (_broken(httpx.ReadTimeout), _no(HTTPStatus.SERVICE_UNAVAILABLE)):
        told = Answers(answer)
        with pytest.raises((Unreachable, AnswerIsNo)):
            _client(told).feeds.make()
        assert len(told.asked) == 1
    told = Answers(_broken(httpx.ConnectError), _ok(b'{"path":"/there"}'))
    assert _client(told).feeds.make().path == "/there", "nothing was sent over a line that never was"


def test_what_has_not_changed_is_not_sent_again() -> None:
    told = Answers(_ok(b'["2018-11"]', ETag='"one"'), lambda _: httpx.Response(304), _ok(b'["2018-12"]', ETag='"two"'))
    client = _client(told)
    assert [client.wallets.months("a") for _ in range(3)] == [["2018-11"], ["2018-11"], ["2018-12"]]
    assert [request.headers.get("If-None-Match") for request in told.asked] == [None, '"one"', '"one"']
    client.wallets.months("b")
    assert "If-None-Match" not in told.asked[-1].headers


def test_no_comes_with_rule_thing_and_what_was_found() -> None:
    with pytest.raises(AnswerIsNo) as said:
        _client(Answers(_no(HTTPStatus.TOO_MANY_REQUESTS, retry_after_s=3))).feeds.make()
    assert (said.value.rule, said.value.thing) == ("a rule says no", "that")
    assert said.value.found == {"thing": "that", "retry_after_s": 3}
    assert said.value.status is HTTPStatus.TOO_MANY_REQUESTS
    assert isinstance(said.value, Refused)


@pytest.mark.parametrize(("content", "kind"), [(b"<html>", AnswerIsNo), (b"{", Corrupt), (b'{"rule":1}', Corrupt)])
def test_a_no_of_somebody_elses_is_no_riddle(content: bytes, kind: type[Exception]) -> None:
    headers = {} if content.startswith(b"<") else {"Content-Type": PROBLEM}
    with pytest.raises(kind):
        _client(Answers(lambda _: httpx.Response(404, content=content, headers=headers))).homes.home("a")


def test_a_line_that_breaks_while_changes_come_is_opened_again_and_one_that_is_shut_says_so() -> None:
    change = b'id: 7\nevent: change\ndata: {"size":7,"as_of_s":1,"kinds":[],"trades":0,"own":true,"readings":[]}\n\n'

    class Breaking(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"retry: 2000\n\n: still here\n\n" + change[:30]
            yield change[30:]
            raise httpx.ReadError("the line broke")

    told = Answers(
        lambda _: httpx.Response(200, stream=Breaking()),
        _no(HTTPStatus.SERVICE_UNAVAILABLE),
        lambda _: httpx.Response(200, stream=Breaking()),
        _no(HTTPStatus.UNAUTHORIZED),
    )
    waited, again = list[float](), list[bool]()
    heard = _client(told, waited).follow(lambda: again.append(True))
    assert [next(heard).size, next(heard).own] == [7, True]
    with pytest.raises(AnswerIsNo) as said:
        next(heard)
    assert said.value.status is HTTPStatus.UNAUTHORIZED
    assert (len(told.asked), len(waited), len(again)) == (4, 3, 1)
    assert told.asked[0].url.path == "/api/v1/live"


def test_an_address_cannot_be_left_by_what_is_asked_for() -> None:
    told = Answers(_ok())
    client = _client(told)
    for name in ("..", ".", ""):
        with pytest.raises(InvalidValue):
            client.homes.home(name)
    with pytest.raises(Corrupt):
        client.homes.home("../me/tokens?x=1#y")
    assert told.asked[0].url.raw_path == b"/api/v1/homes/..%2Fme%2Ftokens%3Fx%3D1%23y"


def test_a_token_is_not_sent_in_the_open() -> None:
    with pytest.raises(Refused, match="over TLS"):
        Client("http://example.org", token="secret")
    for url in ("", "localhost:8443", "ftp://localhost"):
        with pytest.raises(Refused, match="at an address"):
            Client(url)
    Client("http://127.0.0.1:8080", token="secret").close()


def test_a_sites_own_authority_is_believed_where_it_is_named_and_nowhere_else(tmp_path: Path) -> None:
    async def site(scope: dict[str, object], receive: object, send: Callable[..., object]) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b'["2018-11"]'})  # type: ignore[misc]

    files = tls_files(tmp_path / "tls", "street", ("localhost",), int(time.time()))
    told = {"ssl_certfile": str(files.certificate), "ssl_keyfile": str(files.key)}
    server = uvicorn.Server(uvicorn.Config(site, port=0, log_level="critical", lifespan="off", **told))  # type: ignore[arg-type]
    running = threading.Thread(target=server.run)
    running.start()
    try:
        while not server.started:
            running.join(0.01)
            assert running.is_alive()
        url = f"https://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
        with Client(url, token="secret", ca=files.authority) as client:
            assert client.wallets.months("member-05") == ["2018-11"]
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"), Client(url, pause=lambda _: None) as client:
            client.wallets.months("member-05")
    finally:
        server.should_exit = True
        running.join(60)
    (tmp_path / "none.pem").write_text("no certificate")
    for path in (tmp_path / "none.pem", tmp_path / "missing.pem"):
        with pytest.raises(Refused, match="file of PEM"):
            Client(url, ca=path)
