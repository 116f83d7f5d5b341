"""A gateway among meters that lie, disks that fail and orders that come twice: each harms nothing but itself."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noting import NOW, Noting, asset, command, noting

from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.flows.gateway.gateway import LONGEST_ID, MOST_ACKS, READ_WITHIN_S, Counter, Gateway, Identity
from commonwatt.flows.intake import read_request
from commonwatt.flows.keeper import Keeper
from commonwatt.flows.rulebook.bodies import AckBody, AckItem, read_body
from commonwatt.identity.keys import SigningKey
from commonwatt.metering.batch import Item, Quality, decode_items
from commonwatt.metering.parting import Exchange
from commonwatt.model import SLOT_SECONDS, AssetId, Command, DeviceState, GatewayId, epoch, instant

pytestmark = pytest.mark.row("H1")
NOON_S = epoch(NOW)
A, B = AssetId("a"), AssetId("b")


class Metering(Noting):
    """A battery whose counters a test sets."""

    def __init__(self, import_wh: int | None, export_wh: int | None = 0) -> None:
        super().__init__(noting().caps)
        self.shows = DeviceState(at=NOW, import_wh=import_wh, export_wh=export_wh)

    def show(self, at: datetime, import_wh: int | None, export_wh: int | None = 0, level_wh: int | None = None) -> None:
        self.shows = DeviceState(at=at, import_wh=import_wh, export_wh=export_wh, level_wh=level_wh)

    async def read(self) -> DeviceState:
        return self.shows


class House:
    """A gateway with two batteries."""

    def __init__(self, outbox: OutboxFile, rollover_wh: int | None = None) -> None:
        self.a, self.b, self.outbox = Metering(1_000), Metering(2_000), outbox
        behind = [asset("a"), asset("b")]
        keeper = Keeper({A: (behind[0], self.a), B: (behind[1], self.b)})
        identity = Identity(community="lane", number=GatewayId("gw-1"), secret=b"secret")
        meters = {B: Counter(rollover_wh=rollover_wh)}
        self.gateway = Gateway(identity, behind, keeper, SigningKey.from_seed(b"seed", "gw-1"), outbox, meters)

    def meet(self) -> None:
        asyncio.run(self.gateway.meet(NOON_S))

    def close(self, slot_s: int = NOON_S) -> list[Item]:
        before = len(self.outbox)
        asyncio.run(self.gateway.close_slot(slot_s))
        wires = [wire for _, wire in self.outbox.waiting(1_000)][before:]
        return [item for wire in wires for item in decode_items(read_request(wire).items)]

    def tell(self, commands: Sequence[Command], slot_s: int = NOON_S) -> list[AckItem]:
        before = len(self.outbox)
        asyncio.run(self.gateway.tell(commands, slot_s, NOW))
        wires = [wire for _, wire in self.outbox.waiting(1_000)][before:]
        bodies = [read_body(request.kind, request.body) for request in map(read_request, wires)]
        return [ack for body in bodies if isinstance(body, AckBody) for ack in body.acks]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(OutboxFile(tmp_path / "outbox.sqlite"))


def later(seconds: int = SLOT_SECONDS) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_meters_nonsense_keeps_no_other_meter_from_being_told(house: House) -> None:
    house.meet()
    house.a.show(later(), 1_050)
    house.b.show(later(), 2_020, level_wh=20_000_000_000)
    assert [(item.register, item.import_wh) for item in house.close()] == [(0, 50)]
    house.a.show(later(2 * SLOT_SECONDS), 1_090)
    house.b.show(later(2 * SLOT_SECONDS), 2_060, level_wh=5_000)
    told = house.close(NOON_S + SLOT_SECONDS)
    assert sum(item.import_wh for item in told if item.register == 0) == 40
    assert sum(item.import_wh for item in told if item.register == 1) == 60


def test_a_first_value_beyond_its_counter_stops_nobody_else(tmp_path: Path) -> None:
    house = House(OutboxFile(tmp_path / "outbox.sqlite"), rollover_wh=1_500)
    house.meet()
    house.a.show(later(), 1_050)
    assert [(item.register, item.import_wh) for item in house.close()] == [(0, 50)]


@given(off_s=st.integers(-2_000, 2_000))
def test_only_what_was_read_near_a_slots_end_is_booked_as_of_it(
    tmp_path_factory: pytest.TempPathFactory, off_s: int
) -> None:
    with OutboxFile(tmp_path_factory.mktemp("near") / "outbox.sqlite") as outbox:
        house = House(outbox)
        house.meet()
        house.a.show(later(SLOT_SECONDS + off_s), 1_050)
        told = [item for item in house.close() if item.register == 0 and item.quality is Quality.MEASURED]
        assert len(told) == (abs(off_s) <= READ_WITHIN_S)


def test_half_a_reading_is_no_reading_and_a_meter_of_one_way_is_whole(house: House) -> None:
    house.a.show(NOW, 1_000, 700)
    house.b.show(NOW, 2_000, None)
    house.meet()
    house.a.show(later(), 1_050, None)
    house.b.show(later(), 2_020, None)
    assert [(item.register, item.import_wh) for item in house.close()] == [(1, 20)]
    house.a.show(later(2 * SLOT_SECONDS), 1_090, 710)
    told = [item for item in house.close(NOON_S + SLOT_SECONDS) if item.register == 0]
    assert (sum(item.import_wh for item in told), sum(item.export_wh for item in told)) == (90, 10)


@pytest.mark.parametrize("error", [sqlite3.DatabaseError("malformed"), ValueError("a mistake"), OSError("full")])
def test_a_disk_that_fails_costs_no_number_and_no_slot(
    house: House, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.meet()
    house.a.show(later(), 1_050)

    def fail(memory: bytes) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(house.outbox, "_remember", fail)
        with pytest.raises(OSError if isinstance(error, sqlite3.Error) else type(error)):
            house.close()
        with pytest.raises((OSError, ValueError)):
            house.tell([replace(command(1, 1), asset=A)])
    assert [item.import_wh for item in house.close() if item.register == 0] == [50]
    assert [read_request(wire).seq for _, wire in house.outbox.waiting(10)] == [1]


def test_a_slot_is_closed_once(house: House) -> None:
    house.meet()
    house.a.show(later(), 1_050)
    assert house.close()
    assert house.close() == []


def test_many_answers_go_in_as_many_requests_as_the_log_can_read(house: House) -> None:
    many = [replace(command(n, n, name=f"c{n}"), asset=A) for n in range(MOST_ACKS + 1)]
    told = house.tell(many)
    assert [ack.command for ack in told] == [one.id for one in many]
    assert len(house.outbox) == 2


def test_a_command_whose_name_could_not_be_answered_is_not_obeyed(house: House) -> None:
    assert house.tell([replace(command(1, 1, name="c" * (LONGEST_ID + 1)), asset=A)]) == []
    assert (house.a.told, len(house.outbox)) == ([], 0)
    assert len(house.tell([replace(command(1, 1, name="c" * LONGEST_ID), asset=A)])) == 1


def test_what_another_command_was_answered_is_no_answer_to_this_one(house: House) -> None:
    first, second = (replace(command(w, w, name=f"c{w}"), asset=A) for w in (1_000, 2_000))
    assert [(ack.command, ack.lo_w, ack.why) for ack in house.tell([first, second])] == [
        ("c1000", None, "superseded by another command"),
        ("c2000", 2_000, ""),
    ]


def test_a_command_is_answered_once_in_its_slot_and_orders_that_come_late_are_not_answered_again(house: House) -> None:
    one = replace(command(1_000, 1_000), asset=A)
    following = NOON_S + SLOT_SECONDS
    assert [len(house.tell([one], slot_s)) for slot_s in (NOON_S, NOON_S, following, NOON_S, following)] == [
        1,
        0,
        1,
        0,
        0,
    ]


def test_a_long_reason_is_cut_to_what_the_log_reads(house: House) -> None:
    house.a.fails = OSError("x" * 1_000)
    (ack,) = house.tell([replace(command(1_000, 1_000), asset=A)])
    assert ack.why == "x" * 400


def test_an_outbox_that_is_full_says_so_and_takes_again_what_was_answered_for(tmp_path: Path) -> None:
    with OutboxFile(tmp_path / "outbox.sqlite", most_bytes=200_000) as outbox:
        kept = 0
        with pytest.raises(OSError, match="full"):
            for _ in range(100):
                outbox.keep(b"memory", [b"x" * 10_000])
                kept += 1
        assert len(outbox) == kept > 0
        outbox.done([place for place, _ in outbox.waiting(5)])
        outbox.keep(b"memory", [b"x" * 10_000])
        assert len(outbox) == kept - 4


def test_a_late_reading_is_not_taken_for_the_first_one(house: House) -> None:
    house.a.show(instant(NOON_S - READ_WITHIN_S - 1), 1_000)
    house.meet()
    house.a.show(later(), 1_050)
    assert [item for item in house.close() if item.register == 0] == []


def test_a_thermometers_nonsense_keeps_no_reading_from_being_told(house: House) -> None:
    house.meet()
    house.a.shows = DeviceState(at=later(), import_wh=1_050, export_wh=0, indoor_decicelsius=32_767)
    assert [item.import_wh for item in house.close() if item.register == 0] == [50]


def test_an_announced_exchange_outlives_the_program(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxFile(path) as outbox:
        house = House(outbox)
        house.meet()
        house.gateway.announce(A, Exchange(at_s=NOON_S + 10, last=(1_010, 0), first=(5, 0)))
    with OutboxFile(path) as outbox:
        house = House(outbox)
        house.a.show(later(), 45)
        assert [item.import_wh for item in house.close() if item.register == 0] == [50]
