"""Letters leave over TLS alone, with their password never told, and nothing typed becomes a header."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from commonwatt.adapters.notices.mail import Mail, Security, Server, address_of, written
from commonwatt.flows.notices.ports import Letter, Undelivered
from commonwatt.flows.notices.records import Channel, Way
from commonwatt.model import InvalidValue
from servers.smtp import PostOffice, post_office

TO = Channel(id="c", person="p", way=Way.MAIL, label="x", address="anna@sun.example", made_s=0)
SECRET = "a-secret-of-the-post"


def server(office: PostOffice, security: Security = Security.STARTTLS, **more: str) -> Server:
    return Server(
        host="localhost", port=office.port, security=security, sender="post@sun.example", ca=office.authority, **more
    )


def visited(folder: Path, visit: Callable[[PostOffice], Awaitable[None]], *, private: bool = False) -> PostOffice:
    async def run() -> PostOffice:
        async with post_office(folder, private=private) as office:
            await visit(office)
            return office

    return asyncio.run(run())


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_a_letter_arrives_over_a_private_line(tmp_path: Path, letter: Letter, security: Security) -> None:
    async def visit(office: PostOffice) -> None:
        office.password = SECRET
        mail = Mail(server(office, security, user="post", password=SECRET), "Sun Street")
        await mail.carry(TO, letter)

    (got,) = visited(tmp_path / "tls", visit, private=security is Security.TLS).letters
    assert got.private and (got.sender, got.to) == ("post@sun.example", ["anna@sun.example"])
    assert got.message["Subject"] == letter.title and got.message["From"] == "Sun Street <post@sun.example>"
    assert got.message.get_content_type() == "text/plain"
    assert got.message.get_content().splitlines() == [letter.text, "", letter.href]
    assert got.message["Message-ID"] == f"<{letter.id}@sun.example>"


def test_a_server_that_offers_no_private_line_gets_no_letter_and_no_password(tmp_path: Path, letter: Letter) -> None:
    async def visit(office: PostOffice) -> None:
        office.offers = False
        mail = Mail(server(office, user="post", password=SECRET), "Sun Street")
        with pytest.raises(Undelivered):
            await mail.carry(TO, letter)

    office = visited(tmp_path / "tls", visit)
    assert not office.letters and not any("AUTH" in line or "MAIL" in line for line in office.said)


def test_a_server_that_is_not_who_it_should_be_gets_nothing(tmp_path: Path, letter: Letter) -> None:
    async def visit(office: PostOffice) -> None:
        with pytest.raises(Undelivered, match="SSLCertVerificationError"):
            await Mail(replace(server(office), ca=None), "Sun Street").carry(TO, letter)

    assert not visited(tmp_path / "tls", visit).letters


def test_a_private_line_is_left_out_only_where_the_operator_says_so_and_never_with_a_password(
    tmp_path: Path, letter: Letter
) -> None:
    async def visit(office: PostOffice) -> None:
        await Mail(server(office, Security.NONE), "Sun Street").carry(TO, letter)
        with pytest.raises(InvalidValue):
            server(office, Security.NONE, user="post", password=SECRET)

    (got,) = visited(tmp_path / "tls", visit).letters
    assert not got.private


def test_a_password_is_never_told(tmp_path: Path, letter: Letter, caplog: pytest.LogCaptureFixture) -> None:
    said = list[str]()

    async def visit(office: PostOffice) -> None:
        office.password = "another"
        told = server(office, user="post", password=SECRET)
        with pytest.raises(Undelivered) as failed:  # the server itself repeats it in its answer
            await Mail(told, "Sun Street").carry(TO, letter)
        said.extend((str(failed.value), repr(told)))

    visited(tmp_path / "tls", visit)
    assert said and not any(SECRET in text for text in (*said, caplog.text))


def test_a_server_that_is_busy_says_so_and_takes_the_letter_later(tmp_path: Path, letter: Letter) -> None:
    async def visit(office: PostOffice) -> None:
        office.busy = 1
        mail = Mail(server(office), "Sun Street")
        with pytest.raises(Undelivered):
            await mail.carry(TO, letter)
        await mail.carry(TO, letter)

    (got,) = visited(tmp_path / "tls", visit).letters
    assert got.message["Message-ID"] == f"<{letter.id}@sun.example>"


EVIL = (
    "\r\nBcc: mallory@evil.test",
    "\nBcc: mallory@evil.test",
    "\rBcc: mallory@evil.test",
    "\u2028Bcc: mallory@evil.test",
)


@pytest.mark.parametrize("evil", EVIL)
def test_a_line_break_in_what_somebody_typed_becomes_no_header(tmp_path: Path, letter: Letter, evil: str) -> None:
    """Header injection: by a name, a title, a text, an id, and an address."""

    async def visit(office: PostOffice) -> None:
        mail = Mail(server(office), f"Sun Street{evil}")
        typed = replace(letter, title=f"title{evil}", text=f"text{evil}", id=f"id{evil}")
        await mail.carry(TO, typed)
        with suppress(Undelivered):
            await mail.carry(replace(TO, address=f"anna@sun.example{evil}"), letter)

    office = visited(tmp_path / "tls", visit)
    (got,) = office.letters
    assert got.to == ["anna@sun.example"] and "Bcc" not in got.message
    head = got.raw.partition(b"\r\n\r\n")[0]
    assert not any(line.startswith(b"Bcc") for line in head.replace(b"\r", b"\n").split(b"\n"))


@pytest.mark.parametrize(
    "address",
    ["", "anna", "anna@", "@sun.example", "a@b.example, c@d.example", "anna@sun.example\r\nX: y", "a b@c.example"],
)
def test_what_is_no_address_gets_no_letter(address: str) -> None:
    with pytest.raises(InvalidValue):
        address_of(address)


def test_a_dot_alone_on_a_line_ends_no_letter(tmp_path: Path, letter: Letter) -> None:
    async def visit(office: PostOffice) -> None:
        await Mail(server(office), "Sun Street").carry(
            TO, replace(letter, text="one\r\n.\r\nMAIL FROM:<evil@evil.test>")
        )

    (got,) = visited(tmp_path / "tls", visit).letters
    assert "MAIL FROM" in got.message.get_content()


def test_letters_of_every_language_are_whole() -> None:
    message = written(
        "post@sun.example", "Sonnenstraße", "a@b.example", "1", 0, "Rückmeldung für Ángel", "Zähler: 5 €\n"
    )
    assert "Zähler: 5 €" in message.get_content() and message["Subject"] == "Rückmeldung für Ángel"
