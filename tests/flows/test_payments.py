"""Money end to end: a sandbox provider, its webhooks and our asks over real HTTP, the log behind them."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from community import PREPAID, Flow, key
from purse import Purse

from commonwatt.adapters.payments.client import HttpProvider
from commonwatt.adapters.payments.webhook import Doubts, webhook_app
from commonwatt.flows.payments import PaymentDesk, Round
from commonwatt.flows.ports import Asked
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.model import MICRO, Commodity, InvalidValue, Kind, Outcome, Refused
from commonwatt.simulator.sandbox_bank import BAD_CARD, GOOD_CARD, SandboxBank, serving
from commonwatt.tokens.ergon import Stage

pytestmark = pytest.mark.row("H2")
SECRET, KEY = b"a secret of the provider", "sandbox key"


class World:
    """A tiny community, its payment desk behind a webhook, and a provider; both serve on loopback."""

    def __init__(self, doors: ExitStack) -> None:
        self.community = Purse(2, prepaid_micro=0, terms={"topup_lasts_s": 5 * 86_400})
        self.desk = PaymentDesk(self.community.sequencer, key("payment"), lambda: self.community.now_s)
        self.bank = SandboxBank(KEY, SECRET, lambda: self.community.now_s)
        self.doubts = Doubts()
        app = webhook_app(self.desk.hear, [SECRET], "GBP", lambda: self.community.now_s, self.doubts)
        self.hook = doors.enter_context(serving(app)) + "/payments/events"
        self.bank_doors = ExitStack()
        doors.callback(self.bank_doors.close)
        self.url = self.bank_doors.enter_context(serving(self.bank.app()))
        self.provider = doors.enter_context(HttpProvider(self.url, KEY, "tiny", "GBP"))

    def card(self, account: str, pence: int, card: str = GOOD_CARD, name: str = "once") -> int:
        asked = {"account": account, "amount": pence, "currency": "GBP", "card": card}
        headers = {"authorization": f"Bearer {KEY}", "idempotency-key": name}
        return httpx.post(f"{self.url}/cards/payments", json=asked, headers=headers).status_code

    def ergon(self, account: str = "anna") -> int:
        return self.community.ergon(account)

    def wish(self) -> None:
        item = wallets.TopUpRuleItem(threshold_micro=0, amount_micro=10 * MICRO, daily_cap_micro=30 * MICRO)
        assert self.community.ask("anna", Kind.PURCHASE, wallets.TopUpWish(rule=item)) is Outcome.BOOKED


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as doors:
        yield World(doors)


def test_a_card_buys_ergon_and_what_is_told_twice_counts_once(world: World) -> None:
    assert world.card("anna", 1_250) == 201
    assert world.card("anna", 1_250) == 201, "the same ask"
    assert world.card("anna", 1_250, BAD_CARD, "other") == 402
    (bought, _) = world.bank.outbox
    assert world.bank.deliver(world.hook) == [200, 200]
    assert world.ergon() == 12_500_000
    headers = world.bank.signed(bought.content)
    leaves = len(world.community.rows())
    for _ in range(3):
        assert httpx.post(world.hook, content=bought.content, headers=headers).status_code == 200
    assert world.ergon() == 12_500_000
    assert len(world.community.rows()) == leaves, "the delivery that booked it is known by its signature"
    world.community.now_s += 60
    headers = world.bank.signed(bought.content)
    assert httpx.post(world.hook, content=bought.content, headers=headers).json() == {"outcome": "ALREADY_THERE"}
    assert world.ergon() == 12_500_000
    world.community.check_rebuilt()


def test_what_comes_in_the_wrong_order_is_said_again_until_it_fits(world: World) -> None:
    world.card("anna", 1_000)
    world.bank.take_back("card-1")
    assert world.bank.deliver(world.hook, backwards=True) == [409, 200]
    assert (world.ergon(), len(world.bank.outbox)) == (10 * MICRO, 1)
    assert world.bank.deliver(world.hook) == [200]
    assert (world.ergon(), world.bank.outbox) == (0, [])


def test_a_refund_takes_the_ergon_first_and_then_gives_the_money(world: World) -> None:
    world.card("anna", 1_000)
    world.bank.deliver(world.hook)
    assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.TAKEN
    assert world.ergon() == 6 * MICRO
    assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.TAKEN, "the same one"
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == 6 * MICRO
    with pytest.raises(Refused, match="what is left"):
        world.desk.refund(world.provider, "case 2", "card-1", 7 * MICRO)
    assert not world.doubts.events


def test_a_refund_that_the_provider_refuses_comes_back(world: World) -> None:
    assert world.community.pay("anna", MICRO, "in cash") is Outcome.BOOKED
    for _ in range(2):
        assert world.desk.refund(world.provider, "case 1", "in cash", MICRO) is Asked.REFUSED
        assert world.ergon() == MICRO


def test_a_direct_debit_tops_up_and_one_that_bounces_later_is_owed(world: World) -> None:
    world.wish()
    assert world.desk.round(world.provider) == Round(), "no mandate, no ask"
    world.bank.mandate("anna")
    world.bank.deliver(world.hook)
    assert world.desk.round(world.provider) == Round(taken=1)
    assert world.desk.round(world.provider) == Round(taken=1), "asked again, collected once"
    assert len(world.bank.debits) == 1
    world.bank.banks_answer()
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == 10 * MICRO
    assert world.desk.round(world.provider) == Round()
    assert world.community.give("anna", "ben", Commodity.ERGON, 4 * MICRO) is Outcome.BOOKED
    world.bank.take_back("debit-2")
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == -4 * MICRO
    assert world.desk.round(world.provider) == Round(taken=1), "and is asked for again, within the day's cap"
    world.community.check_rebuilt()


def test_a_debit_that_the_bank_refuses_is_not_asked_for_at_once_again(world: World) -> None:
    world.wish()
    world.bank.mandate("anna")
    world.bank.deliver(world.hook)
    world.desk.round(world.provider)
    world.bank.banks_answer(paid=False)
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == 0
    assert world.desk.to_collect() == []
    world.community.live(anna=Flow(load_wh=100))
    assert world.desk.to_collect() == []


def test_a_mandate_that_only_we_believe_in_is_refused_and_noted(world: World) -> None:
    world.wish()
    world.bank.mandate("anna")
    world.bank.deliver(world.hook)
    world.bank.mandates.clear()
    assert world.desk.round(world.provider) == Round(refused=1)
    assert world.desk.round(world.provider) == Round()


def test_a_pay_out_is_burned_once_the_bank_has_it(world: World) -> None:
    assert world.community.pay("anna", PREPAID, "in cash") is Outcome.BOOKED
    world.community.pay_out("anna", 2 * MICRO)
    assert world.desk.round(world.provider) == Round(taken=1)
    assert world.ergon() == PREPAID
    world.bank.pay_outs_arrive()
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == PREPAID - 2 * MICRO
    assert world.desk.round(world.provider) == Round()
    world.bank.closed_accounts.add("anna")
    world.community.pay_out("anna", MICRO)
    world.desk.round(world.provider)
    world.bank.pay_outs_arrive()
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == PREPAID - 2 * MICRO
    stages = {payout.stage for payout in world.community.state.wallets.payouts.items()}
    assert stages == {Stage.CONFIRMED, Stage.FAILED}


def test_a_provider_that_is_down_is_asked_again_and_nothing_is_lost_or_done_twice(world: World) -> None:
    assert world.community.pay("anna", PREPAID, "in cash") is Outcome.BOOKED
    world.community.pay_out("anna", 2 * MICRO)
    assert world.desk.round(world.provider) == Round(taken=1)
    port = int(world.url.rsplit(":", 1)[1])
    world.bank_doors.close()
    assert world.desk.round(world.provider) == Round(unheard=1)
    assert world.desk.to_pay_out(), "it may have been heard: the reservation stands"
    world.bank_doors.enter_context(serving(world.bank.app(), port))
    assert world.desk.round(world.provider) == Round(taken=1)
    assert len(world.bank.payouts) == 1
    world.bank.pay_outs_arrive()
    assert world.bank.deliver("http://127.0.0.1:9/payments/events") == [0]
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == PREPAID - 2 * MICRO


def test_a_key_that_the_provider_does_not_know_refuses_nothing_for_good(world: World) -> None:
    assert world.community.pay("anna", PREPAID, "in cash") is Outcome.BOOKED
    world.community.pay_out("anna", MICRO)
    with HttpProvider(world.url, "wrong key", "tiny", "GBP") as stranger:
        assert world.desk.round(stranger) == Round(unheard=1)
    assert world.desk.to_pay_out()


def test_a_refund_that_was_refused_is_never_paid_under_that_name(world: World) -> None:
    world.card("anna", 1_000)
    world.bank.deliver(world.hook)
    world.bank.refuses.add("card-1")
    assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.REFUSED
    assert world.ergon() == 10 * MICRO
    world.bank.refuses.clear()
    assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.REFUSED, "it was given back"
    assert (world.ergon(), world.bank.refunded) == (10 * MICRO, {})
    assert world.desk.refund(world.provider, "case 2", "card-1", 4 * MICRO) is Asked.TAKEN
    assert (world.ergon(), world.bank.refunded) == (6 * MICRO, {"case 2": ("card-1", 400)})
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon() == 6 * MICRO
    world.community.check_rebuilt()


def test_a_refund_that_the_log_refused_may_be_asked_for_again_and_pays_once(world: World) -> None:
    world.card("anna", 1_000)
    world.bank.deliver(world.hook)
    assert world.community.give("anna", "ben", Commodity.ERGON, 8 * MICRO) is Outcome.BOOKED
    with pytest.raises(Refused, match="NOT_BACKED"):
        world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO)
    assert world.bank.refunded == {}
    assert world.community.give("ben", "anna", Commodity.ERGON, 8 * MICRO) is Outcome.BOOKED
    for _ in range(3):
        assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.TAKEN
        world.bank.forget_names()
    assert (world.ergon(), world.bank.refunded) == (6 * MICRO, {"case 1": ("card-1", 400)})
    assert world.bank.deliver(world.hook) == [200]
    assert (world.ergon(), world.doubts.events) == (6 * MICRO, [])


def test_a_provider_that_was_down_gives_a_refund_back_once(world: World) -> None:
    world.card("anna", 1_000)
    world.bank.deliver(world.hook)
    port = int(world.url.rsplit(":", 1)[1])
    world.bank_doors.close()
    assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.UNHEARD
    world.bank_doors.enter_context(serving(world.bank.app(), port))
    for _ in range(2):
        assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.TAKEN
    assert (world.ergon(), world.bank.refunded) == (6 * MICRO, {"case 1": ("card-1", 400)})


def test_money_that_went_after_all_is_taken_from_what_came_back(world: World) -> None:
    """A provider that refuses and pays nevertheless tells so: what was given back for it is taken again, once."""
    world.card("anna", 1_000)
    world.bank.deliver(world.hook)
    world.bank.refuses.add("card-1")
    assert world.desk.refund(world.provider, "case 1", "card-1", 4 * MICRO) is Asked.REFUSED
    for _ in range(2):
        assert world.bank.tell_refund("case 1", "card-1", 400, world.hook) == 200
        assert world.ergon() == 6 * MICRO
        world.community.now_s += 60
    assert world.doubts.events == []
    world.community.check_rebuilt()


def test_a_refund_that_somebody_gave_at_the_providers_own_desk_is_taken_back(world: World) -> None:
    world.card("anna", 1_000)
    world.bank.deliver(world.hook)
    assert world.community.give("anna", "ben", Commodity.ERGON, 9 * MICRO) is Outcome.BOOKED
    for _ in range(2):
        assert world.bank.tell_refund("by hand", "card-1", 400, world.hook) == 200
        assert world.ergon() == -3 * MICRO, "the money is gone, so the ERGON is owed"
        world.community.now_s += 60
    assert world.doubts.events == []


def test_a_refund_whose_name_leaves_no_room_for_its_return_is_not_begun(world: World) -> None:
    world.card("anna", 1_000)
    world.bank.deliver(world.hook)
    with pytest.raises(InvalidValue, match="92"):
        world.desk.refund(world.provider, "x" * 93, "card-1", MICRO)
    assert world.ergon() == 10 * MICRO


def test_a_key_that_is_not_the_payment_key_takes_no_money_in(world: World) -> None:
    """Each event would be refused for good, and the provider told that all is well."""
    for who in ("anna", "stranger"):
        desk = PaymentDesk(world.community.sequencer, key(who), lambda: world.community.now_s)
        leaves = len(world.community.rows())
        with pytest.raises(Refused, match="payment key"):
            desk.hear(wallets.PurchaseBody(account="anna", amount_micro=MICRO, reference="p"))
        assert len(world.community.rows()) == leaves


def test_money_for_somebody_who_joins_later_is_credited_when_they_have(world: World) -> None:
    assert world.card("zoe", 700) == 201
    assert world.bank.deliver(world.hook) == [409]
    assert world.doubts.events == [("event-2", Outcome.UNKNOWN_THING)]
    assert world.community.register_key("zoe", "member", "zoe") is Outcome.BOOKED
    assert world.bank.deliver(world.hook) == [200]
    assert (world.ergon("zoe"), world.doubts.events) == (7 * MICRO, [])


def test_what_is_asked_again_after_its_name_was_forgotten_is_done_once(world: World) -> None:
    world.wish()
    world.bank.mandate("anna")
    world.bank.deliver(world.hook)
    assert world.community.pay("ben", PREPAID, "in cash") is Outcome.BOOKED
    world.community.pay_out("ben", MICRO)
    for _ in range(3):
        assert world.desk.round(world.provider) == Round(taken=2)
        world.bank.forget_names()
        world.bank.pay_outs_arrive()
    assert (len(world.bank.debits), len(world.bank.payouts)) == (1, 1)
    assert world.bank.deliver(world.hook) == [200]
    assert world.ergon("ben") == PREPAID - MICRO
