"""A gateway pays every cycle what its own meter counted, on the disk before it is sent, through outages and kills."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from community import EXPORT, IMPORT, NAME, NOON, PREPAID, Community, Flow, key

from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.flows.channels import typed
from commonwatt.flows.channels.ports import Answer, Payment
from commonwatt.flows.channels.purse import Channel, Tariff
from commonwatt.flows.gateway.gateway import Gateway, Identity
from commonwatt.flows.gateway.paying import LONGEST_WAIT_S, Courier, Paying
from commonwatt.flows.keeper import Keeper
from commonwatt.identity.keys import RequestSigner, SigningKey
from commonwatt.model import SLOT_SECONDS, Asset, AssetId, GatewayId, InvalidValue, Outcome, Unreachable, instant
from commonwatt.simulator.devices.paper import PaperDevice
from commonwatt.simulator.plant import Plant
from commonwatt.tokens.channel import Verdict, Voucher
from signers import secure_key

pytestmark = [pytest.mark.row("H3"), pytest.mark.row("H4")]
NUMBER = GatewayId("gw-anna")
HOME = AssetId("anna-home")
DELEGATED = SigningKey.from_seed(b"tiny", "anna's channel")
WHERE = typed.domain(1, "0x" + "cc" * 20)
CHANNEL = Channel(
    id="ab" * 32, account="anna", payer="0x" + "aa" * 20, signer=DELEGATED.id, delay_s=86_400, deposit=10**9
)
TARIFF = Tariff(import_micro_per_kwh=IMPORT, export_micro_per_kwh=EXPORT)
CYCLE_S = 4 * SLOT_SECONDS


class Counter:
    """A till that books what it is shown, as a purchase; it may be out of reach, or lose its answer."""

    def __init__(self, town: Community) -> None:
        self.town, self.away, self.deaf, self.total = town, False, False, 0
        self.shown: list[int] = []

    def show(self, payment: Payment) -> Answer:
        if self.away:
            raise Unreachable("the till is away")
        voucher = payment.voucher
        assert typed.voucher_signer(WHERE, voucher) == DELEGATED.id
        self.shown.append(voucher.total)
        if voucher.total > self.total:
            assert self.town.pay("anna", voucher.total - self.total, f"channel {voucher.total}") is Outcome.BOOKED
        verdict = Verdict.ACCEPTED if voucher.total > self.total else Verdict.SEEN_BEFORE
        self.total = max(self.total, voucher.total)
        if self.deaf:
            raise Unreachable("the answer was lost")
        return Answer(verdict=verdict, total=self.total)


class Home:
    """Anna's gateway in the tiny community; the line to the log and the till are the test's."""

    def __init__(self, folder: Path, signer: RequestSigner | None = None, deposit: int = 10**9) -> None:
        self.channel_id = CHANNEL.id
        self.town = Community(grace_slots=200, correction_slots=200)
        self.now_s, self.path, self.key = NOON, folder / "outbox.sqlite", signer or key(NUMBER)
        self.till, self.alarms = Counter(self.town), list[str]()
        self.deposit, self.watts = deposit, 4_000
        names = self.town.behind(NUMBER)
        self.plants = {name: Plant(asset=self.asset(name), now_s=0) for name in names}
        self.plants[HOME].own_w = lambda: self.watts
        self.start()
        asyncio.run(self.gateway.meet(NOON))

    def asset(self, name: AssetId) -> Asset:
        return self.town.state.assets[name]

    def now(self) -> datetime:
        return instant(self.now_s)

    def sign(self, channel: str, total: int) -> Voucher:
        return typed.sign_voucher(WHERE, DELEGATED, channel, total)

    def start(self) -> None:
        """Begin a life of the program."""
        self.outbox = OutboxFile(self.path)
        devices = {name: (plant.asset, PaperDevice(plant, self.now)) for name, plant in self.plants.items()}
        channel = Channel(
            id=self.channel_id,
            account="anna",
            payer=CHANNEL.payer,
            signer=DELEGATED.id,
            delay_s=86_400,
            deposit=self.deposit,
        )
        pays = Paying(channel=channel, sign=self.sign, tariff=TARIFF, register=0, cycle_s=CYCLE_S)
        identity = Identity(community=NAME, number=NUMBER, secret=b"blinds")
        behind = [plant.asset for plant in self.plants.values()]
        self.gateway = Gateway(identity, behind, Keeper(devices, HOME), self.key, self.outbox, pays=pays.after)
        self.courier = Courier(self.gateway, channel, self.till, self.alarms.append)

    def kill(self) -> None:
        self.outbox.close()
        self.start()

    def slots(self, count: int, watts: int = 4_000) -> None:
        """Let slots pass; ben is not at home, and the feeder tells what anna took."""
        for _ in range(count):
            slot_s, self.watts = self.now_s, watts
            for plant in self.plants.values():
                plant.now_s = self.now_s
                plant.pass_time(SLOT_SECONDS)
            self.now_s += SLOT_SECONDS
            self.town.now_s = self.now_s
            asyncio.run(self.gateway.close_slot(slot_s))
            ben = self.town.reading("gw-ben", slot_s, self.town.home("ben", Flow()))
            feeder = self.town.reading("gw-feeder", slot_s, self.town.feeder(watts // 4))
            assert {*self.town.sequencer.submit([ben, feeder], self.now_s)} == {Outcome.BOOKED}

    def tell(self) -> None:
        """Send readings to the log."""
        waiting = self.outbox.waiting(1_000)
        assert {*self.town.sequencer.submit([wire for _, wire in waiting], self.now_s)} == {Outcome.BOOKED}
        self.outbox.done([place for place, _ in waiting])

    def pay(self) -> bool:
        return asyncio.run(self.courier.show())

    @property
    def signed(self) -> int:
        return self.gateway.payer.signed if self.gateway.payer else 0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_is_paid_is_what_the_community_bills(home: Home) -> None:
    """Three cycles of four slots: after each the balance is what it was before, to the millionth."""
    for cycle in range(1, 4):
        home.slots(4, watts=4_000 if cycle != 2 else 2_468)
        home.tell()
        assert home.pay()
        assert home.town.ergon("anna") == PREPAID
    assert len(home.till.shown) == 3
    assert home.till.total > 3 * IMPORT


def test_nothing_is_signed_within_a_cycle(home: Home) -> None:
    home.slots(3)
    assert (home.signed, home.pay(), home.till.shown) == (0, True, [])
    home.slots(1)
    assert home.signed == 4 * IMPORT


def test_ten_hours_without_server_are_paid_by_one_voucher(home: Home) -> None:
    """Neither log nor till can be reached; the gateway is switched off and on meanwhile."""
    home.till.away = True
    for _ in range(10):
        home.slots(4)
        with pytest.raises(Unreachable):
            home.pay()
        home.kill()
    assert home.till.shown == []
    home.till.away = False
    home.tell()
    assert home.pay()
    assert home.till.shown == [40 * IMPORT], "the last stands for all"
    assert home.town.ergon("anna") == PREPAID


def test_an_answer_that_was_lost_pays_nothing_twice(home: Home) -> None:
    home.slots(4)
    home.till.deaf = True
    with pytest.raises(Unreachable):
        home.pay()
    home.till.deaf = False
    home.kill()
    assert home.pay()
    home.kill()
    assert home.pay()
    assert home.till.shown == [4 * IMPORT] * 2, "shown again after the loss, not after the answer"
    assert home.till.total == 4 * IMPORT


def test_a_full_disk_owes_and_signs_nothing_that_was_not_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.slots(3)
    book = home.gateway.payer

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(home.outbox, "keep", full)
        with pytest.raises(OSError, match="no space"):
            home.slots(1)
        assert home.gateway.payer == book
    asyncio.run(home.gateway.close_slot(NOON + 3 * SLOT_SECONDS))
    assert home.signed == 4 * IMPORT
    with monkeypatch.context() as patch:
        patch.setattr(home.outbox, "keep", full)
        with pytest.raises(OSError, match="no space"):
            home.pay()
    assert home.pay(), "the answer could not be kept: it is shown again, and is the same payment"
    assert home.till.total == 4 * IMPORT


def test_no_more_is_signed_than_is_deposited(tmp_path: Path) -> None:
    home = Home(tmp_path, deposit=5 * IMPORT)
    home.slots(8)
    assert home.signed == 5 * IMPORT
    assert home.gateway.payer is not None
    assert home.gateway.payer.owed == 8 * IMPORT
    home.deposit = 100 * IMPORT  # more was deposited
    home.kill()
    home.slots(4)
    assert home.signed == 12 * IMPORT


def test_a_channel_that_takes_the_place_of_another_pays_what_that_did_not(tmp_path: Path) -> None:
    """A closed channel never opens again; readings are told whatever becomes of it."""
    home = Home(tmp_path, deposit=5 * IMPORT)
    home.slots(8)
    assert (home.pay(), home.till.total) == (True, 5 * IMPORT)
    home.channel_id, home.deposit, home.till.total = "cd" * 32, 100 * IMPORT, 0
    home.kill()
    assert home.pay(), "there is nothing to show yet"
    home.slots(4)
    home.tell()
    assert home.pay()
    assert home.till.shown == [5 * IMPORT, (12 - 5) * IMPORT]


def test_whatever_a_till_does_the_next_voucher_is_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.slots(4)

    def breaks(payment: Payment) -> Answer:
        raise RuntimeError("nobody thought of this")

    class Enough(Exception):
        pass

    waits = list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        monkeypatch.undo()
        if len(waits) == 2:
            raise Enough

    monkeypatch.setattr(home.till, "show", breaks)
    with pytest.raises(Enough):
        asyncio.run(home.courier.run(sleep))
    assert home.alarms == ["the last voucher could not be shown: nobody thought of this"]
    assert home.till.shown == [4 * IMPORT]


def test_a_till_that_refuses_is_told_of_and_asked_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.slots(4)
    with monkeypatch.context() as patch:
        patch.setattr(home.till, "show", lambda payment: Answer(verdict=Verdict.ENDING, total=0))
        assert not home.pay()
    assert home.alarms == ["the till does not take this gateway's voucher: ending"]
    assert home.pay()


def test_a_gateway_that_lost_its_memory_says_so_and_takes_nothing_twice(home: Home) -> None:
    home.slots(8)
    assert home.pay()
    home.outbox.close()
    home.path.unlink()
    for beside in home.path.parent.glob("outbox.sqlite-*"):
        beside.unlink()
    home.start()
    asyncio.run(home.gateway.meet(home.now_s))
    home.slots(4)
    assert home.pay()
    assert home.alarms == [f"the till holds a voucher of {8 * IMPORT}, this gateway remembers {4 * IMPORT}"]
    assert home.till.total == 8 * IMPORT


def test_a_gateway_of_p_256_pays_with_its_delegated_key(tmp_path: Path) -> None:
    home = Home(tmp_path, signer=secure_key(NUMBER))
    home.slots(4)
    assert home.pay()
    assert home.till.total == 4 * IMPORT


def test_vouchers_are_shown_ever_more_patiently(home: Home) -> None:
    waits = list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        home.till.away = len(waits) < 9
        if len(waits) == 11:
            raise asyncio.CancelledError

    home.slots(4)
    home.till.away = True
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(home.courier.run(sleep))
    assert waits[0] < waits[1] < waits[5]
    assert (max(waits), waits[-1]) == (LONGEST_WAIT_S, min(waits))
    assert home.till.shown == [4 * IMPORT]


@pytest.mark.parametrize("cycle_s", [0, -SLOT_SECONDS, SLOT_SECONDS + 1])
def test_a_cycle_has_whole_slots(cycle_s: int) -> None:
    told: dict[str, Any] = {"channel": CHANNEL, "sign": Home.sign, "tariff": TARIFF, "register": 0}
    with pytest.raises(InvalidValue):
        Paying(**told, cycle_s=cycle_s)
