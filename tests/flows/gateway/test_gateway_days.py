"""A gateway by a clock that a test sets: slots, days without network, disks that are full, letters said twice."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from community import NAME, NOON, Community, key

from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.flows.gateway.gateway import READ_WITHIN_S, Gateway, Identity
from commonwatt.flows.gateway.letters import MOST_REQUESTS, Orders, Told, seal
from commonwatt.flows.gateway.post import Post
from commonwatt.flows.gateway.post_office import PostOffice
from commonwatt.flows.gateway.running import Alarms, Runner
from commonwatt.flows.keeper import Keeper
from commonwatt.identity.keys import VerifyingKey
from commonwatt.metering.batch import decode_items
from commonwatt.model import (
    SLOT_SECONDS,
    Asset,
    AssetId,
    AssetKind,
    Caps,
    GatewayId,
    Outcome,
    Refused,
    Unreachable,
    instant,
)
from commonwatt.simulator.devices.paper import PaperDevice
from commonwatt.simulator.plant import Plant

pytestmark = pytest.mark.row("H1")
NUMBER = GatewayId("gw-anna")
HOME, BATTERY = AssetId("anna-home"), AssetId("anna-battery")


@dataclass
class SetClock:
    """The box's two clocks, one that is set and one that only goes on; and what time it really is."""

    s: float = NOON + 100
    steady: float = 0.0
    true: float = NOON + 100

    def now(self) -> datetime:
        return instant(int(self.s))

    def steady_s(self) -> float:
        return self.steady

    def go(self, seconds: float) -> None:
        self.s += seconds
        self.steady += seconds
        self.true += seconds


@dataclass
class Line:
    """A line straight to the office, that may be cut; tells what went over it."""

    office: PostOffice
    heard: Callable[[bytes], object] = lambda wire: None
    cut: bool = False
    deaf: bool = False
    bursts: list[int] = field(default_factory=list)

    async def run(self, heard: Callable[[bytes], None], word: Callable[[str], None]) -> None:
        await asyncio.Event().wait()

    async def send(self, burst: bytes) -> None:
        if self.cut:
            raise Unreachable("the line is cut")
        self.bursts.append(len(burst))
        answers = await self.office.take([(NUMBER, burst)])
        if self.deaf:
            raise Unreachable("the line broke before the answer")
        for _, letter in answers:
            self.heard(letter)


class Home:
    """Anna's gateway in the tiny community: its meter turns by 4 kW; its line and clock are the test's."""

    def __init__(self, folder: Path) -> None:
        self.town, self.clock = Community(grace_slots=2_000, correction_slots=2_000), SetClock()
        self.alarms = list[str]()
        self.path = folder / "outbox.sqlite"

        async def submit(wires: list[bytes]) -> list[Outcome]:
            self.town.now_s = max(self.town.now_s, int(self.clock.true))
            return self.town.sequencer.submit(wires, self.town.now_s)

        office = PostOffice(lambda: self.town.state, key("operator"), submit, lambda: int(self.clock.true * 1_000))
        self.office, self.line = office, Line(office)
        self.plants = {
            HOME: Plant(asset=self.asset(HOME), now_s=0, own_w=lambda: 4_000),
            BATTERY: Plant(asset=self.asset(BATTERY), now_s=0, level_wh=5_000),
        }
        self.start()
        self.ask_time()

    def asset(self, name: AssetId) -> Asset:
        return self.town.state.assets[name]

    def start(self) -> None:
        """Begin a life of the program."""
        self.outbox = OutboxFile(self.path)
        devices = {}
        for name, plant in self.plants.items():
            asset = plant.asset
            takes = asset.kind is AssetKind.BATTERY
            caps = Caps(max_import_w=takes * asset.max_import_w, max_export_w=takes * asset.max_export_w, lease_s=900)
            devices[name] = (asset, PaperDevice(plant, self.clock.now, caps))
        behind = [self.asset(name) for name in self.town.behind(NUMBER)]
        identity = Identity(community=NAME, number=NUMBER, secret=b"blinds")
        self.gateway = Gateway(identity, behind, Keeper(devices, HOME), key(NUMBER), self.outbox)
        pinned = VerifyingKey(key("operator").public)
        self.post = Post(self.gateway, self.outbox, self.line, NAME, NUMBER, pinned, self.clock, self.alarms.append)
        alarms = Alarms(self.clock, self.alarms.append)
        self.runner = Runner(self.gateway, self.outbox, self.post, self.line, self.clock, alarms)
        self.line.heard = self.runner.hear

    def go(self, seconds: int, step: int = 1) -> None:
        """Let time pass, and the gateway do what it does."""
        for _ in range(0, seconds, step):
            self.clock.go(step)
            self.turn(step)
            asyncio.run(self.runner.step())

    def turn(self, seconds: float) -> None:
        for plant in self.plants.values():
            plant.now_s = int(self.clock.true) - int(seconds)
            plant.pass_time(int(seconds))

    def ask_time(self) -> None:
        asyncio.run(self.post.ask_time())

    def to_slot_end(self) -> None:
        self.go(SLOT_SECONDS - int(self.clock.s) % SLOT_SECONDS, 5)

    def send(self) -> int:
        return asyncio.run(self.post.send_all())

    def slots(self) -> list[int]:
        """Return which slots of the meter the log holds, in the order in which they came."""
        found = []
        for row in self.town.rows():
            if row.author == key(NUMBER).id and row.items:
                found += [item.start_s for item in decode_items(row.items) if item.register == 0]
        return found

    def waiting(self) -> int:
        return len(self.outbox)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_ten_days_without_network_are_sent_in_order_in_bursts_and_none_twice(home: Home) -> None:
    home.line.cut = True
    home.to_slot_end()
    for _ in range(960):
        home.clock.go(SLOT_SECONDS)
        home.turn(SLOT_SECONDS)
        asyncio.run(home.gateway.close_slot(int(home.clock.s) - SLOT_SECONDS))
    with pytest.raises(Unreachable):
        home.send()
    assert home.waiting() == 960
    home.outbox.close()
    home.start()  # and the box was switched off meanwhile
    home.line.cut, home.line.deaf = False, True
    with pytest.raises(Unreachable):
        home.send()  # the first burst is taken, and its answer lost: it is a repeat next time
    home.line.deaf = False
    assert home.send() == 960
    assert home.waiting() == 0
    first = NOON + SLOT_SECONDS
    assert home.slots() == [first + n * SLOT_SECONDS for n in range(960)]
    assert len(home.line.bursts) == 2 + 960 // MOST_REQUESTS, "one was said twice, one asked the time"
    seqs = [row.seq for row in home.town.rows() if row.author == key(NUMBER).id]
    assert seqs == list(range(1, 961))


def test_a_clock_that_is_set_back_or_ahead_closes_no_slot_twice_or_out_of_order(home: Home) -> None:
    home.to_slot_end()
    home.to_slot_end()
    assert home.gateway.closed_s == NOON + SLOT_SECONDS
    home.clock.s -= 200
    home.to_slot_end()  # it ends a second time
    assert home.gateway.closed_s == NOON + SLOT_SECONDS
    assert any("set back by 200 s" in word for word in home.alarms)
    home.clock.s += 450
    home.to_slot_end()
    assert any("set ahead by 450 s" in word for word in home.alarms)
    home.send()
    assert home.slots() == sorted(set(home.slots()))


def test_a_leap_of_years_closes_nothing_until_the_community_says_the_same(home: Home) -> None:
    home.to_slot_end()
    home.to_slot_end()
    closed_s = home.gateway.closed_s
    home.clock.s += 5 * 365 * 86_400
    home.to_slot_end()
    assert home.gateway.closed_s == closed_s, "nothing is closed in a false year"
    home.clock.s -= 5 * 365 * 86_400
    home.to_slot_end()
    home.to_slot_end()
    assert home.gateway.closed_s > closed_s, "and the door to the right one is open"
    home.clock.s += 2 * 86_400
    home.clock.true = home.clock.s  # the box slept, and its steady clock with it
    home.ask_time()
    home.go(SLOT_SECONDS - int(home.clock.s) % SLOT_SECONDS, 5)
    home.to_slot_end()
    assert home.gateway.closed_s > closed_s + 86_400


def test_what_was_not_read_at_a_slot_s_end_is_told_by_the_next_value(home: Home) -> None:
    home.to_slot_end()
    home.to_slot_end()
    home.clock.go(SLOT_SECONDS + READ_WITHIN_S + 1)  # the program was not there
    home.turn(SLOT_SECONDS + READ_WITHIN_S + 1)
    home.to_slot_end()
    home.send()
    assert home.slots() == [NOON + n * SLOT_SECONDS for n in range(1, 4)]


def test_a_full_disk_keeps_devices_held_and_goes_on_when_there_is_room(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.to_slot_end()

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    told = letter(home, number=1, lo_w=2_000)
    with monkeypatch.context() as patch:
        patch.setattr(home.outbox, "keep", full)
        home.runner.hear(told)
        home.go(20)
        assert home.plants[BATTERY].power_w == 2_000, "the device holds what it was told"
        assert any("the disk refuses" in word for word in home.alarms)
        assert home.waiting() == 0
    home.go(2)
    assert home.waiting() == 1, "the answer to the command was signed once there was room"
    home.to_slot_end()
    home.send()
    seqs = [row.seq for row in home.town.rows() if row.author == key(NUMBER).id]
    assert seqs == list(range(1, len(seqs) + 1))


def letter(home: Home, number: int, lo_w: int, lasts_s: int = 600) -> bytes:
    now_s = int(home.clock.s)
    command = Told(id=f"c{number}", asset=BATTERY, lo_w=lo_w, hi_w=lo_w, expires_s=now_s + lasts_s, reason="r")
    orders = Orders(
        community=NAME, gateway=NUMBER, number=number, slot_s=now_s // 900 * 900, told_s=now_s,
        until_s=now_s + 1_800, commands=[command],
    )  # fmt: skip
    return seal([orders], key("operator"))[0]


@pytest.mark.row("H6")
def test_old_orders_that_are_said_again_move_nothing_and_expired_ones_let_go(home: Home) -> None:
    old, new = letter(home, 1, 1_000), letter(home, 2, 3_000)
    home.runner.hear(new)
    home.go(2)
    home.runner.hear(old)
    home.go(2)
    assert home.plants[BATTERY].power_w == 3_000
    home.go(620, 5)
    assert home.plants[BATTERY].held is None, "a command that has expired holds nobody"
    home.clock.go(1_800)
    home.runner.hear(letter(home, 1, 1_000))
    home.go(2)
    assert home.plants[BATTERY].held is None
    home.runner.hear(old[:-3] + b'0"}')
    assert any("was not believed" in word for word in home.alarms)


def test_a_disk_that_comes_back_older_goes_on_under_the_numbers_that_the_log_expects(home: Home) -> None:
    for _ in range(3):
        home.to_slot_end()
    home.outbox.close()
    old = home.path.read_bytes()
    home.start()
    home.to_slot_end()
    home.send()
    home.outbox.close()
    for beside in home.path.parent.glob("outbox.sqlite-*"):
        beside.unlink()
    home.path.write_bytes(old)
    home.start()
    home.to_slot_end()
    home.to_slot_end()
    home.send()
    assert home.waiting() == 0
    assert any("were signed again" in word for word in home.alarms)
    seqs = [row.seq for row in home.town.rows() if row.author == key(NUMBER).id]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_request_that_nobody_takes_is_put_aside_and_the_others_go_on(home: Home) -> None:
    for _ in range(4):
        home.to_slot_end()
    places = home.outbox.waiting(10)
    spoilt = places[1][1].replace(b'"signature":"', b'"signature":"0')[:-1]
    home.outbox.renew(home.outbox.memory() or b"", [(places[1][0], spoilt)])
    home.send()
    assert home.waiting() == 0
    assert [why for why, _ in home.outbox.aside()] == ["MALFORMED"]
    assert any("put aside" in word for word in home.alarms)


def test_a_gateway_that_nobody_registered_waits_and_says_why(home: Home) -> None:
    home.to_slot_end()
    home.to_slot_end()
    del home.town.state.gateways[NUMBER]
    with pytest.raises(Unreachable, match="register it"):
        home.send()
    assert home.waiting() == 1
    with pytest.raises(Refused, match="registered before it connects"):
        home.office.admit(NUMBER, "00", "00")
