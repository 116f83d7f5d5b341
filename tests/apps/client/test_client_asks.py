"""A client on a lived street: what it reads, what it writes with the kept key, and what it signs itself."""

from http import HTTPStatus
from pathlib import Path

import duckdb
import pytest
from carried import Caller

from commonwatt.apps.wiring import open_key
from commonwatt.client import AnswerIsNo
from commonwatt.client.live import events, follow
from commonwatt.flows.rulebook.bodies import ConstraintBody
from commonwatt.identity.access import Scope
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Role
from commonwatt.model import Corrupt, Kind, Outcome, Refused, Unreachable

LINE = "charge of battery-05 >= {}% at 07:00 every day"


def test_answers_come_in_the_shapes_that_the_views_have(caller: Caller) -> None:
    client = caller.client(Role.MEMBER)
    assert client.signing_in.who().account == "member-05"
    assert client.wallets.wallet("member-05").account == "member-05"
    (battery,) = [one.asset for one in client.assets.assets() if one.asset.id == "battery-05"]
    assert battery.stores
    assert client.assets.diary("battery-05").asset == "battery-05"
    assert client.commons.standing().size == caller.lived.size or client.commons.standing().size > caller.lived.size


def test_all_of_a_list_is_what_its_pages_hold(caller: Caller) -> None:
    client = caller.client(Role.MEMBER)
    every = list(client.every(client.wallets.entries, "member-05", limit=7))
    assert [one.number for one in every] == sorted({one.number for one in every}, reverse=True)
    assert len(every) == len(list(client.every(client.wallets.entries, "member-05", limit=500))) > 7


def test_readings_come_packed_as_they_come_in_words(caller: Caller, tmp_path: Path) -> None:
    client = caller.client(Role.MEMBER)
    file = tmp_path / "readings.parquet"
    for name, least in (("battery-05", 10), ("home-05", 10)):
        told = client.assets.readings(name)
        file.write_bytes(client.assets.readings_packed(name))
        rows = duckdb.sql(f"SELECT * FROM '{file}'").fetchall()
        assert rows == [(one.slot_s, one.import_wh, one.export_wh, one.level_wh, one.quality) for one in told]
        assert len(rows) > least
    file.write_bytes(client.assets.readings_packed("battery-05", to_s=1))
    assert duckdb.sql(f"SELECT * FROM '{file}'").fetchall() == []
    with pytest.raises(AnswerIsNo):
        client.assets.readings_packed("battery-02")


def test_what_the_table_forbids_is_refused_by_its_rule(caller: Caller) -> None:
    with pytest.raises(AnswerIsNo) as said:
        caller.client().wallets.wallet("member-05")
    assert said.value.status is HTTPStatus.FORBIDDEN
    assert "line of the table" in said.value.rule
    with pytest.raises(AnswerIsNo) as said:
        caller.client(Role.MEMBER).wallets.wallet("member-06")
    assert (said.value.status, said.value.thing) == (HTTPStatus.NOT_FOUND, "member-06")


def test_a_write_whose_answer_was_lost_is_done_once(caller: Caller) -> None:
    client = caller.client(Role.MEMBER, None, Scope.READ, Scope.CONTROL)
    before = client.requests.next_number(author=_key(caller).id).next_seq
    caller.carried.lose = 1
    done = client.assets.state("member-05", {"text": LINE.format(40)})
    assert done.outcome is Outcome.BOOKED
    assert client.requests.next_number(author=_key(caller).id).next_seq == before + 1


def test_a_request_is_signed_with_ones_own_key_and_done_once_whatever_is_lost(caller: Caller) -> None:
    key = _key(caller)
    client = caller.client(None, key)
    caller.carried.lose = 1  # of the look for the next number
    first = client.ask(Kind.CONSTRAINT, {"text": LINE.format(41), "said_s": caller.lived.end_s}, "member-05")
    caller.carried.lose = 2
    second = client.ask(Kind.CONSTRAINT, ConstraintBody(text=LINE.format(42), said_s=caller.lived.end_s), "member-05")
    assert (first.outcome, second.outcome) == (Outcome.BOOKED, Outcome.BOOKED)
    stated = [one.text for one in caller.client(Role.MEMBER).assets.constraints("member-05")]
    assert [stated.count(LINE.format(percent)) for percent in (41, 42)] == [1, 1]


def test_who_signs_elsewhere_with_the_same_key_is_no_trouble(caller: Caller) -> None:
    here, there = caller.client(None, _key(caller)), caller.client(None, _key(caller))
    for client, percent in ((here, 43), (there, 44), (here, 45)):
        told = {"text": LINE.format(percent), "said_s": caller.lived.end_s}
        assert client.ask(Kind.CONSTRAINT, told, "member-05").outcome is Outcome.BOOKED


def test_a_request_that_the_log_refuses_says_so_and_the_next_one_stands(caller: Caller) -> None:
    client = caller.client(None, _key(caller))
    with pytest.raises(AnswerIsNo) as said:
        client.ask(Kind.CANCEL, {"what": "cancel", "order": "9.9"}, "member-05")
    assert said.value.found["outcome"] == Outcome.UNKNOWN_THING.value
    told = {"text": LINE.format(46), "said_s": caller.lived.end_s}
    assert client.ask(Kind.CONSTRAINT, told, "member-05").outcome is Outcome.BOOKED


def test_nobody_signs_without_a_key_and_nobodys_key_is_refused(caller: Caller) -> None:
    with pytest.raises(Refused, match="holds a key"):
        caller.client(Role.MEMBER).ask(Kind.CONSTRAINT, {}, "member-05")
    stranger = SigningKey.from_seed(b"nobody", "here")
    assert caller.client().requests.next_number(author=stranger.id).next_seq == 1
    with pytest.raises(AnswerIsNo) as said:
        caller.client(None, stranger).ask(Kind.CONSTRAINT, {"text": "x", "said_s": 0}, "member-05")
    assert said.value.found["outcome"] == Outcome.UNKNOWN_KEY.value


def test_a_batch_has_an_outcome_each_and_again_the_same(caller: Caller) -> None:
    client = caller.client(None, _key(caller))
    bodies = [{"text": LINE.format(percent), "said_s": caller.lived.end_s} for percent in (51, 52, 53)]
    wires = client.signed([(Kind.CONSTRAINT, body, b"") for body in bodies], "member-05")
    wires.insert(1, b"no request")
    done = client.requests.batch(wires).done
    assert [one.outcome for one in done] == [Outcome.BOOKED, Outcome.MALFORMED, Outcome.BOOKED, Outcome.BOOKED]
    places = [one.position for one in done if one.position is not None]
    assert places == sorted(set(places)) and len(places) == 3
    assert client.requests.batch(wires).done == done


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"\0\0\0\2{}{", 422),
        (b"\0\0\0\2{", 422),
        (b"\xff\xff\xff\xff", 422),
        (b"\0\0\0\0" * 2_049, 422),
        (bytes(8 * 2**20 + 1), 413),
    ],
)
def test_what_is_no_batch_is_refused_whole(caller: Caller, content: bytes, status: int) -> None:
    answered = caller.street.ask("POST", "/api/v1/requests/batch", content=content)
    assert answered.status_code == status, answered.text
    assert answered.json()["rule"]


def test_changes_are_heard_and_a_broken_line_is_opened_again() -> None:
    told = ["retry: 2000", "", ": still here", "", 'data: {"size":7,"as_of_s":1,"kinds":[],"trades":0,"own":false,',
            'data: "readings":[]}', ""]  # fmt: skip

    class Broken:
        opened = 0

        def lines(self, path: str, within_s: float) -> object:
            self.opened += 1
            yield from told
            raise Unreachable("the line broke")

        def wait(self, tried: int) -> None:
            waited.append(tried)

    line, again, waited = Broken(), list[bool](), list[int]()
    heard = follow(line, lambda: again.append(True))  # type: ignore[arg-type]  # all that it uses
    assert [next(heard).size for _ in range(3)] == [7, 7, 7]
    assert (line.opened, len(again), waited) == (3, 2, [0, 0])
    with pytest.raises(Corrupt, match="no change"):
        list(events(iter(["data: {}", ""])))


def test_who_may_not_follow_is_told_and_not_kept_waiting() -> None:
    class Shut:
        def lines(self, path: str, within_s: float) -> object:
            raise AnswerIsNo("a token is good until it ends", status=HTTPStatus.UNAUTHORIZED)

    with pytest.raises(AnswerIsNo):
        next(follow(Shut()))  # type: ignore[arg-type]  # all that it uses


def _key(caller: Caller) -> SigningKey:
    return open_key(caller.lived.folder, "member-05")
