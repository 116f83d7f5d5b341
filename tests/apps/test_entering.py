"""The entrance of a lived street: people by command, and a trail whose head stands in the street's own log."""

import asyncio
import json
import sqlite3
import stat
from pathlib import Path

import pytest
from click.testing import Result
from lived import LivedStreet, open_community
from typer.testing import CliRunner

from authenticator import Authenticator
from commonwatt.apps import entering, feeds
from commonwatt.apps.cli.persons import app
from commonwatt.apps.community import Community
from commonwatt.apps.entering import open_gate, open_hall, organisations, tie_trail
from commonwatt.apps.persons import ORIGIN
from commonwatt.apps.wiring import open_log, open_people
from commonwatt.flows.entrance import enrolling, inviting
from commonwatt.flows.entrance.coming_in import with_printed_code
from commonwatt.flows.entrance.placing import known
from commonwatt.flows.entrance.records import Way, Where
from commonwatt.flows.entrance.sitting import sign_in, sit
from commonwatt.flows.replay import community_of, replay
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.identity.trust_bodies import EntranceTrail
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, Corrupt, Kind, Outcome, Refused

HERE = Where(address="192.0.2.1")
OPERATOR, ANNA = AccountId("operator"), AccountId("member-01")


def come(folder: Path, name: str) -> None:
    """Let somebody set up a passkey."""
    hall = open_hall(folder, ORIGIN)
    secret = sign_in(hall, known(hall, name), Way.PRINTED_CODE, HERE)
    here, device = sit(hall, secret, HERE), Authenticator(ORIGIN, "localhost")
    assert here is not None
    options, sealed = enrolling.begin_passkey(hall, here)
    enrolling.finish_passkey(hall, here, sealed, device.register(dict(options)), "phone", HERE)
    hall.people.close()


def person(*words: object) -> Result:
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.row("W8")
def test_who_holds_the_machine_adds_the_first_people_and_nobody_into_anothers_home(lived_copy: LivedStreet) -> None:
    folder = lived_copy.folder
    told = json.loads(person("add", folder, "Olga", "--role", "operator", "--json").output)
    person("add", folder, "anna", "--role", "member", "--account", "member-01", "--address", "anna@sun.example")
    come(folder, "anna")
    for words in (
        ("add", folder, "puppet", "--role", "member", "--account", "member-01"),
        ("role", folder, "olga", "--give", "dso", "--account", "member-01"),
        ("invite", folder, "--role", "member", "--account", "member-01"),
    ):
        with pytest.raises(Refused, match="only they"):
            person(*words)
    hall = open_hall(folder, ORIGIN)
    assert with_printed_code(hall, "olga", told["code"], HERE).name == "olga"
    hall.people.close()
    assert "anna                 0: member member-01" in person("list", folder).output
    person("role", folder, "anna", "--end", 0)
    assert "member member-01 (ended)" in person("list", folder).output


def test_a_link_leads_in_once_and_a_reset_only_begins(lived_copy: LivedStreet) -> None:
    folder = lived_copy.folder
    link = person("invite", folder, "--role", "member", "--account", "member-01", "--at", "https://sun.example").output
    site, _, text = link.strip().partition("#")
    assert site == "https://sun.example/join"
    hall = open_hall(folder, ORIGIN)
    assert inviting.accept(hall, text, "anna", HERE).places[0].account == ANNA
    hall.people.close()
    told = json.loads(person("reset", folder, "anna", "--json").output)
    assert told["ripe_s"] > 0 and told["secret"]
    assert "signed in nowhere" in person("sessions", folder, "anna").output
    assert Happened.RECOVERY_BEGUN in person("trail", folder).output


@pytest.mark.row("W8")
def test_the_head_of_the_trail_stands_in_the_log_so_that_nothing_before_it_is_dropped_unseen(
    lived_copy: LivedStreet,
) -> None:
    folder = lived_copy.folder
    person("add", folder, "olga", "--role", "operator")

    async def tie() -> list[object]:
        people = open_people(folder)
        async with open_community(lived_copy) as community:
            first = await tie_trail(people, community)
            again = await tie_trail(people, community)
            stale = await community.send(OPERATOR, Kind.ATTEST, EntranceTrail(events=1, head="0" * 64))
            member = await community.send(ANNA, Kind.ATTEST, EntranceTrail(events=9, head="0" * 64))
            root = community.state.root()
            restored, _ = snapshot.load(snapshot.dump(community.state, community.told_s, b"\x00" * 32))
            people.close()
            assert restored.root() == root and restored.trusted.trail == community.state.trusted.trail
            return [first, again, stale.outcome, member.outcome, community.state.trusted.trail]

    first, again, stale, member, logged = asyncio.run(tie())
    assert (first, again) == (Outcome.BOOKED, None)
    assert (stale, member) == (Outcome.TOO_LATE, Outcome.NOT_ALLOWED)
    person("add", folder, "anna", "--role", "member", "--account", "member-01")
    told = json.loads(person("trail", folder, "--json").output)
    assert [one["number"] for one in told["events"]] == [1, 2] and list(told["heads"]) == ["1"]
    assert logged == (1, told["heads"]["1"])
    with open_log(folder) as log:
        assert replay(log.rows(), community_of(log)).state.trusted.trail == logged
    with sqlite3.connect(folder / "people.sqlite") as db:
        db.execute("DELETE FROM event")
    db.close()
    with pytest.raises(Corrupt, match="the log knows of event 1"):
        person("trail", folder)


def test_a_gate_opens_with_the_folders_organisations(lived_copy: LivedStreet) -> None:
    folder = lived_copy.folder
    gate = open_gate(folder, "https://sun.example")
    gate.hall.people.close()
    assert gate.signer is not None and gate.signer.id == gate.hall.operator.id
    assert gate.organisations == {} and stat.S_IMODE((folder / "people.sqlite").stat().st_mode) == 0o600
    (folder / "organisations.toml").write_text(
        '[[organisation]]\nname = "grid"\nissuer = "https://id.grid.example"\nclient_id = "us"\nsecret_file = "grid"\n'
    )
    (folder / "keys" / "grid").write_text("s3cret\n")
    (folder / "keys" / "grid").chmod(0o644)
    with pytest.raises(Refused):
        organisations(folder)
    (folder / "keys" / "grid").chmod(0o600)
    assert organisations(folder)["grid"].client_secret == "s3cret"
    (folder / "organisations.toml").write_text('[[organisation]]\nname = "grid"\n')
    with pytest.raises(Corrupt):
        organisations(folder)


def test_what_keeps_the_trail_out_of_the_log_is_noted_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ways: list[Exception | Outcome | None] = [
        Refused("no door is open"),
        sqlite3.OperationalError("disk I/O error"),
        Corrupt("a damaged file"),
        Outcome.TOO_LATE,
        Outcome.BOOKED,
        None,
    ]

    async def tied(people: object, community: object) -> Outcome | None:
        if not ways:
            raise asyncio.CancelledError
        way = ways.pop(0)
        if isinstance(way, Exception):
            raise way
        return way

    monkeypatch.setattr(entering, "tie_trail", tied)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(entering.keep_trail_tied(None, None, 0.0))  # type: ignore[arg-type]
    assert [one.levelname for one in caplog.records] == ["WARNING", "ERROR", "ERROR", "ERROR"]
    assert "TOO_LATE" in caplog.records[-1].getMessage()


def test_the_entrance_of_a_folder_knows_its_accounts_and_ends_an_accounts_calendar(lived_copy: LivedStreet) -> None:
    community = Community(lived_copy.folder, lambda: lived_copy.end_s, lambda: None)
    community.catch_up()
    anna = Seat(person="anna", role=Role.MEMBER, account=AccountId("member-01"))
    feeds.make(community, anna)
    hall = open_hall(lived_copy.folder, ORIGIN, community.state)
    assert hall.has_account(ANNA) and not hall.has_account(AccountId("member-99"))
    assert hall.end_calendar(AccountId("member-01")) and feeds.made_s(community, anna) is None
    hall.people.close()
    community.close()
