"""Commands that ask a community's API, on a lived street with its door open: by folder, and by an app and a token."""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from lived import LivedStreet, open_door
from typer.testing import CliRunner, Result

from commonwatt.apps import door_card, reaching
from commonwatt.apps.asking import send
from commonwatt.apps.cli.main import app
from commonwatt.apps.community import Community
from commonwatt.apps.folder_community import folder_community
from commonwatt.client import AnswerIsNo, Client
from commonwatt.flows.onboard import desk_body
from commonwatt.flows.rulebook.tokens.crossed import Named
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import Kind, Refused

SAID = "charge of battery-05 >= 30% at 07:00 every day"


@pytest.fixture(scope="module")
def street(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with its door open at its own time, in a thread of its own as a door is in a process of its own."""
    folder = tmp_path_factory.mktemp("reached") / "street"
    shutil.copytree(lived.folder, folder)
    copy, ports, opened = replace(lived, folder=folder), list[int](), threading.Event()
    loop = asyncio.new_event_loop()
    closing = asyncio.Event()

    async def keep() -> None:
        async with open_door(copy) as port:
            ports.append(port)
            opened.set()
            await closing.wait()

    door = threading.Thread(target=lambda: loop.run_until_complete(keep()))
    door.start()
    assert opened.wait(60), "the door of the lived street does not open"
    clock = door_card.CardClock(log_s=copy.end_s, system_ms=int(1_000 * time.time()), until_s=copy.end_s)
    with door_card.posted(folder, door_card.DoorCard(community="street", host="127.0.0.1", port=ports[0], clock=clock)):
        yield folder
    loop.call_soon_threadsafe(closing.set)
    door.join(60)
    loop.close()


@pytest.fixture(scope="module", autouse=True)
def read_once(street: Path) -> Iterator[None]:
    """Read the log through once for all commands, and go on where the one before ended."""
    kept = folder_community(street)

    def again(folder: Path) -> Community:
        if folder != street:
            return folder_community(folder)
        kept._grown = asyncio.Condition()  # each command has a loop of its own
        return kept

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reaching, "folder_community", again)
        close = kept.close
        patched.setattr(kept, "close", lambda: None)
        yield
    close()


def commonwatt(*words: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env=env or {})


def told(*words: str | Path) -> Any:
    done = commonwatt(*words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_a_command_opens_and_closes_a_folder_by_itself(lived: LivedStreet) -> None:
    assert told("wallet", "balances", "member-05", "--folder", lived.folder)["account"] == "member-05"
    assert commonwatt("wallet", "balances", "member-05", "--folder", lived.folder).stdout.startswith(" member-05, 2018")


def test_an_operator_lists_members_and_assets(street: Path) -> None:
    members = told("member", "list", "--folder", street)
    assert [one["account"] for one in members] == [f"member-{number:02}" for number in range(1, 11)]
    assets = told("asset", "list", "--folder", street)
    assert {one["asset"]["id"] for one in assets} >= {"battery-05", "home-05"}
    own = told("asset", "list", "--folder", street, "--as", "member-05")
    assert {one["asset"]["owner"] for one in own} == {"member-05"}


def test_people_read_tables_and_words(street: Path) -> None:
    home = commonwatt("member", "show", "member-05", "--folder", street)
    assert "battery-05" in home.stdout and "ERGON" in home.stdout
    asset = commonwatt("asset", "show", "battery-05", "--folder", street)
    assert asset.stdout.startswith("battery-05 is a battery of member-05")
    readings = commonwatt("asset", "readings", "battery-05", "--folder", street, "--as", "member-05")
    assert "2018-11-14" in readings.stdout and "import Wh" in readings.stdout
    diary = commonwatt("schedule", "show", "battery-05", "--folder", street, "--as", "member-05")
    assert "consent: always" in diary.stdout and "reason" in diary.stdout


def test_a_line_is_understood_stated_listed_and_withdrawn(street: Path) -> None:
    seat = ("--folder", street, "--as", "member-05")
    assert told("constraint", "try", SAID, *seat)["may"] is True
    wrong = commonwatt("constraint", "try", "charge of battery-50 >= 30% at 07:00", *seat)
    assert (wrong.exit_code, "no: " in wrong.stdout) == (1, True)
    done = told("constraint", "say", SAID, *seat)
    assert done["outcome"] == "BOOKED"
    assert [one["position"] for one in told("constraint", "list", "member-05", "--folder", street)] == [
        done["position"]
    ]
    gone = commonwatt("constraint", "withdraw", str(done["position"]), *seat)
    assert (gone.exit_code, "no longer: " in gone.stdout) == (0, True), gone.exception
    assert told("constraint", "list", *seat) == []
    again = commonwatt("constraint", "withdraw", str(done["position"]), *seat)
    assert isinstance(again.exception, Refused) and "taken back stands" in str(again.exception)


def test_a_past_day_is_tried_once_it_was_told_whole(street: Path) -> None:
    assert told("what-if", "--days", "--folder", street) == [], "five hours are no day"
    refused = commonwatt("what-if", "--day", "2018-11-14", "--folder", street)
    assert refused.exit_code == 1 and "a past day is tried of which enough homes told" in str(refused.exception)
    assert commonwatt("what-if", "--day", "yesterday", "--folder", street).exit_code == 1


@pytest.mark.row("M5")
def test_a_member_names_its_exit_once_the_log_names_a_vault(street: Path) -> None:
    seat, wallet = ("--folder", street, "--as", "member-05"), with_checksum("0x" + 20 * "ab")
    before = told("wallet", "exit", *seat)
    assert (len(before["address"]), before["named"]) == (42, False)
    early = commonwatt("wallet", "exit", wallet, *seat)
    assert isinstance(early.exception, AnswerIsNo), "there is no chain to exit to"
    card = door_card.read(street)
    body = desk_body(SigningKey.generate(), Named(chain_id=1, vault="0x" + 40 * "1"))
    send(street, "operator", Kind.REGISTER, body, card.host, card.port)
    assert told("wallet", "exit", wallet, *seat) == {"account": "member-05", "address": wallet, "named": True}
    assert "as it was named" in commonwatt("wallet", "exit", *seat).stdout
    wrong = commonwatt("wallet", "exit", wallet.swapcase().replace("X", "x", 1), *seat)
    assert isinstance(wrong.exception, AnswerIsNo)


def test_what_is_sent_arrives_and_stands_in_both_histories(street: Path, tmp_path: Path) -> None:
    before = told("wallet", "balances", "member-02", "--folder", street)["ergon_micro"]
    sent = told("wallet", "send", "member-02", "1.25", "--folder", street, "--as", "member-05")
    assert sent["outcome"] == "BOOKED"
    assert told("wallet", "balances", "member-02", "--folder", street)["ergon_micro"] == before + 1_250_000
    (last,) = told("wallet", "history", "member-05", "--limit", "1", "--folder", street)
    assert (last["amount"], last["other"]) == (-1_250_000, "member-02")
    every = told("wallet", "history", "member-05", "--limit", "0", "--folder", street)
    assert len(every) > 50, "more than a page"
    for name in ("entries.csv", "entries.jsonl"):
        file = tmp_path / name
        done = commonwatt("wallet", "entries", file, "--of", "member-05", "--folder", street, "--as", "member-05")
        assert done.exit_code == 0, done.exception
        assert len(file.read_text().splitlines()) >= len(every)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entries.csv", "entries.jsonl"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("wallet", "send", "member-02", "much"), "a price is a number"),
        (("wallet", "send", "member-02", "1.5", "--commodity", "watt_wh"), "whole Wh"),
        (("wallet", "send", "nobody", "1"), "its rules allow"),
        (("wallet", "entries", "entries.pdf"), "as .csv or .jsonl"),
        (("wallet", "balances", "member-02"), "by this name for who asks"),
        (("asset", "show", "nothing"), "by this name for who asks"),
        (("event", "list"), "line of the table"),
    ],
)
def test_a_no_says_why(street: Path, words: tuple[str, ...], says: str) -> None:
    done = commonwatt(*words, "--folder", street, "--as", "member-05")
    assert isinstance(done.exception, Refused), done.output
    assert says in str(done.exception)


def test_a_demand_is_called_listed_and_taken_back(street: Path) -> None:
    called = told("event", "call", "30", "--power-w", "2000", "--folder", street)
    assert called["end_s"] - called["start_s"] == 1_800
    assert told("event", "list", "--folder", street) == [called]
    assert commonwatt("event", "end", called["id"], "--folder", street).exit_code == 0
    assert commonwatt("event", "list", "--folder", street).stdout == "nothing is demanded\n"
    assert commonwatt("event", "show", "--folder", street).stdout == "no flexibility is under contract\n"
    none = commonwatt("event", "show", "7", "--folder", street)
    assert "there is such an offer" in str(none.exception)


def test_a_calendar_has_a_secret_address_until_it_is_revoked(street: Path) -> None:
    seat = ("--folder", street, "--as", "member-05")
    url = told("schedule", "address", "--at", "https://hill.example/", *seat)["url"]
    assert url.startswith("https://hill.example/api/v1/feeds/") and url.endswith(".ics")
    assert told("schedule", "address", "--revoke", *seat) == {"url": None}
    again = commonwatt("schedule", "address", "--revoke", *seat)
    assert isinstance(again.exception, AnswerIsNo)


def test_a_community_is_reached_one_way_and_from_a_seat_that_there_is(street: Path, tmp_path: Path) -> None:
    for words, says in (
        (("--folder", street, "--as", "member-99"), "a seat is a role's or a member's"),
        ((), "by --folder, or by --app"),
        (("--folder", street, "--app", "https://localhost"), "by --folder, or by --app"),
        (("--folder", tmp_path), "no log in this folder"),
    ):
        done = commonwatt("asset", "list", *words)
        assert isinstance(done.exception, Refused), done.output
        assert says in str(done.exception)
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o644)
    done = commonwatt("asset", "list", "--app", "https://localhost", "--token-file", tmp_path / "token")
    assert "chmod 600" in str(done.exception)
    for words in (
        ("--app", "https://localhost", "--as", "member-05"),
        ("--folder", street, "--ca", tmp_path / "token"),
    ):
        assert commonwatt("asset", "list", *words).exit_code == 2


def test_an_app_is_asked_with_the_token_of_a_file_or_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url), request.headers.get("Authorization")))
        return httpx.Response(200, content=b'["2018-11"]' if "bills" in request.url.path else b"[]")

    monkeypatch.setattr(reaching, "Client", partial(Client, transport=httpx.MockTransport(answer)))
    (tmp_path / "token").write_text("from-file\n")
    (tmp_path / "token").chmod(0o600)
    url = "https://hill.example:8443"
    assert commonwatt("asset", "list", "--app", url, "--token-file", tmp_path / "token").stdout.startswith("no assets")
    assert commonwatt("asset", "list", env={"COMMONWATT_APP": url, "COMMONWATT_TOKEN": "from-there"}).exit_code == 0
    assert commonwatt("asset", "list", "--app", url).exit_code == 0
    there = f"{url}/api/v1/assets"
    assert asked == [(there, "Bearer from-file"), (there, "Bearer from-there"), (there, None)]
