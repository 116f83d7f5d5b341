"""Nobody makes this machine ask its own neighbours, however the address is written (SSRF)."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from commonwatt.adapters.notices import outward
from commonwatt.adapters.notices.outward import Outward, check_url, is_public
from commonwatt.flows.notices.ports import Undelivered
from commonwatt.model import InvalidValue
from servers.listener import listening

PUBLIC = "93.184.215.14"


def tried(url: str, addresses: Sequence[str] | None = None) -> str:
    """Return why nothing was sent; names stand for the addresses that are told."""

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses or ())

    async def post() -> None:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nobody is believed, and nothing is read for it
        door = Outward(trust=trust, resolve=None if addresses is None else resolve)
        try:
            await door.post(url, b"{}", {})
        finally:
            await door.close()

    with pytest.raises(Undelivered) as refused:
        asyncio.run(post())
    return str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://localhost./",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::]/",
    ],
)
def test_this_machine_is_not_asked_however_its_address_is_written(url: str) -> None:
    # Some resolvers know no such spelling at all.
    assert tried(url) in ("it leads to no public place", "there is no such place")


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"],
)
def test_a_private_address_is_not_asked(address: str) -> None:
    assert tried("https://hooks.example/", [address]) == "it leads to no public place"


def test_a_clouds_metadata_is_not_asked() -> None:
    assert tried("https://169.254.169.254/latest/meta-data/") == "it leads to no public place"
    assert tried("https://metadata.example/", ["fd00:ec2::254"]) == "it leads to no public place"


@pytest.mark.parametrize("address", ["fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1"])
def test_a_local_ipv6_address_is_not_asked(address: str) -> None:
    assert tried("https://hooks.example/", [address]) == "it leads to no public place"


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a9fe:a9fe",
        "2001:0:a9fe:a9fe::1",
    ],
)
def test_an_address_inside_another_one_is_looked_at_too(address: str) -> None:
    assert tried("https://hooks.example/", [address]) == "it leads to no public place"


def test_a_name_that_stands_for_a_public_and_a_private_place_is_not_asked() -> None:
    assert tried("https://hooks.example/", [PUBLIC, "127.0.0.1"]) == "it leads to no public place"


def test_public_addresses_are_public() -> None:
    assert all(map(is_public, (PUBLIC, "1.1.1.1", "2606:2800:220:1::1", f"::ffff:{PUBLIC}")))
    assert not any(map(is_public, ("", "localhost", "1.1.1", "127.0.0.1")))


def test_a_name_that_turns_to_another_place_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer would be this machine, and nobody asks for it."""
    answers, connected = [[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]], list[str]()

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async def connect(self: object, host: str, port: int, *more: object) -> object:
        connected.append(host)
        raise OSError("nobody goes outside in a test")

    async def post() -> None:
        door = Outward(resolve=resolve)
        monkeypatch.setattr(outward.httpcore.AnyIOBackend, "connect_tcp", connect)
        with pytest.raises(Undelivered):
            await door.post("https://hooks.example/", b"{}", {})

    asyncio.run(post())
    assert connected == [PUBLIC] and len(answers) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "https://",
        "https:///path",
        "https://user:password@hooks.example/",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example/\r\nX-Evil: 1",
        "https://hooks.example/ HTTP/1.1",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example/#fragment",
        "https://hooks.example/\N{LATIN SMALL LETTER O WITH DIAERESIS}",
        "https://hooks.example/" + "x" * 3_000,
        "//hooks.example/",
        "",
    ],
)
def test_only_a_plain_https_address_is_taken(url: str) -> None:
    with pytest.raises(InvalidValue):
        check_url(url)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async def visit() -> tuple[int, list[str]]:
        async with listening(tmp_path / "tls") as there:
            away = there.url("/secret").encode()
            there.answers = [b"HTTP/1.1 307 Away\r\nLocation: " + away + b"\r\nContent-Length: 0\r\n\r\n"]
            door = Outward(["localhost"], there.trusting())
            answer = await door.post(there.url("/hook"), b"{}", {})
            await door.close()
            return answer.status, [one.line for one in there.posted]

    assert asyncio.run(visit()) == (307, ["POST /hook HTTP/1.1"])


def test_the_operator_may_let_people_reach_a_private_place_by_name_and_no_other(tmp_path: Path) -> None:
    async def visit() -> None:
        async with listening(tmp_path / "tls") as there:
            door = Outward(["LocalHost"], there.trusting())
            assert (await door.post(there.url(), b"{}", {})).status == 204
            with pytest.raises(Undelivered, match="no public place"):
                await door.post(f"https://127.0.0.1:{there.port}/", b"{}", {})
            await door.close()
            assert len(there.posted) == 1

    asyncio.run(visit())


def test_whoever_cannot_show_whose_name_they_bear_gets_nothing(tmp_path: Path) -> None:
    async def visit() -> None:
        async with listening(tmp_path / "tls") as there:
            door = Outward(["localhost"])  # that believes the machine's authorities alone
            with pytest.raises(Undelivered, match="no answer over HTTPS"):
                await door.post(there.url(), b"{}", {})
            assert not there.posted

    asyncio.run(visit())


def test_whoever_answers_without_end_or_never_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward, "WITHIN_S", 0.5)

    async def visit() -> float:
        async with listening(tmp_path / "tls") as there:
            there.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1_000_000, b""]
            door = Outward(["localhost"], there.trusting())
            assert (await door.post(there.url(), b"{}", {})).status == 200
            began = time.monotonic()
            with pytest.raises(Undelivered, match="in time"):
                await door.post(there.url(), b"{}", {})
            return time.monotonic() - began

    assert asyncio.run(visit()) < 30
