"""A car charges in another community, and pays through its channel on the chain that both share."""

from pathlib import Path

import pytest
from charging_place import GATEWAY, POST, START_FEE, STATION, Plaza
from community import key
from paper_station import PaperStation
from till_town import Straight, Town

from channel_hall import PAYEE, PAYER
from commonwatt.flows.channels.ports import Answer, Payment
from commonwatt.flows.channels.roaming import PayingCar
from commonwatt.flows.charge_session import Pens, step
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.model import MICRO, AccountId, Commodity, Outcome, Unreachable
from commonwatt.simulator.car import PaperCar
from commonwatt.tokens.channel import Verdict

pytestmark = pytest.mark.row("H3")
GUEST = AccountId("guest")
PENS = Pens(
    car=key("guest"),
    car_account=GUEST,
    station=key(POST),
    station_account=AccountId(STATION),
    gateway=key(GATEWAY),
    gateway_account=AccountId(GATEWAY),
)
MOST = 5 * MICRO


class Abroad(Town):
    """The plaza's community, whose till knows its guest; the guest comes without money there."""

    def __init__(self, folder: Path) -> None:
        self.plaza = Plaza(guest_micro=0)
        super().__init__(folder, town=self.plaza)
        self.line, self.words, self.outcomes = Line(self), list[str](), list[Outcome]()
        self.station, self.told_wh = PaperStation(power_w=11_000, shows_wh=123_456), 123_456

    def knows(self, account: str) -> bool:
        return account in (*self.plaza.members, GUEST)

    def car(self, deposit: int) -> PayingCar:
        channel = self.open(account=GUEST, deposit=deposit)
        car = PaperCar(station=STATION, wants_wh=6_000, most_micro=MOST, lasts_s=7_200)
        return PayingCar(car, self.purse(channel, self.line), self.free, self.words.append)

    def free(self) -> int:
        return free(self.plaza.state, GUEST, Commodity.ERGON)

    def minutes(self, car: PayingCar, count: int) -> None:
        """Let minutes pass, and everybody take the next step."""
        plaza = self.plaza
        for _ in range(count):
            now_s = plaza.now_s + 60
            if now_s % 900 == 0:
                shows_wh = self.station.register_wh(now_s)
                plaza.pass_slot(shows_wh - self.told_wh)
                self.told_wh = shows_wh
            plaza.now_s = now_s
            self.outcomes += plaza.sequencer.submit(step(plaza.state, PENS, car, self.station, now_s), now_s)


class Line(Straight):
    """A line that may be cut, or lose the answer."""

    cut = deaf = False

    def show(self, payment: Payment) -> Answer:
        if self.cut:
            raise Unreachable("no till here")
        answer = super().show(payment)
        if self.deaf:
            raise Unreachable("the answer was lost")
        return answer


@pytest.fixture
def abroad(tmp_path: Path) -> Abroad:
    return Abroad(tmp_path)


def test_a_roaming_car_charges_and_pays_by_two_transactions(abroad: Abroad) -> None:
    had, began = abroad.hall.holds(PAYER), abroad.hall.chain.head().number
    car = abroad.car(deposit=20 * MICRO)
    abroad.minutes(car, 75)
    assert set(abroad.outcomes) == {Outcome.BOOKED}
    (receipt,) = abroad.plaza.receipts()
    assert receipt.bill is not None
    assert receipt.bill.due_micro > START_FEE
    assert abroad.line.shown == [MOST], "one voucher, for the most that it might owe"
    assert abroad.ergon(GUEST) == MOST - receipt.bill.due_micro, "what it did not use is there for the next time"
    (held,) = abroad.held.after("", 9)
    abroad.hall.done(abroad.channels.close(PAYEE, held.config, held.voucher))
    assert abroad.hall.chain.head().number - began == 2, "open and close; each is a block"
    assert (had - abroad.hall.holds(PAYER), abroad.hall.holds(PAYEE)) == (MOST, MOST)


@pytest.mark.parametrize("deaf", [False, True])
def test_a_till_out_of_reach_delays_the_session_and_takes_nothing_twice(abroad: Abroad, deaf: bool) -> None:
    """It is not reached at all, or it takes the voucher and its answer is lost."""
    car = abroad.car(deposit=20 * MICRO)
    abroad.line.cut, abroad.line.deaf = not deaf, deaf
    abroad.minutes(car, 10)
    assert (abroad.outcomes, abroad.plaza.state.sessions.standing) == ([], {}) or deaf
    abroad.line.cut = abroad.line.deaf = False
    abroad.minutes(car, 75)
    (receipt,) = abroad.plaza.receipts()
    assert receipt.bill is not None
    assert set(abroad.line.shown) == {MOST}
    assert abroad.ergon(GUEST) == MOST - receipt.bill.due_micro


def test_a_car_whose_deposit_is_too_small_does_not_begin(abroad: Abroad) -> None:
    car = abroad.car(deposit=MICRO)
    abroad.minutes(car, 20)
    assert abroad.plaza.state.sessions.standing == {}
    assert any("short" in word for word in abroad.words)
    assert abroad.ergon(GUEST) == MICRO, "what it could pay is there, and nothing was signed beyond"


def test_a_till_takes_no_voucher_that_pays_for_another_communitys_guest(abroad: Abroad) -> None:
    """The salt binds a channel to an account of one community: a copied voucher fills nobody else's."""
    channel = abroad.open(account="anna")
    payment = channel.payment(abroad.sign(channel.id, MICRO))
    copied = Payment(
        account=GUEST,
        number=0,
        payer=payment.payer,
        signer=payment.signer,
        delay_s=payment.delay_s,
        voucher=payment.voucher,
    )
    assert abroad.till.take(copied).verdict is Verdict.NOT_OURS
    assert abroad.ergon(GUEST) == 0
