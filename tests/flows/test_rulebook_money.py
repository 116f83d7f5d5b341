"""Money at the edges: bought, given back, collected by itself, paid out; notices, and meters that are switched."""

import pytest
from community import MEMBERS, NOON, PREPAID, Community, Flow
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from purse import Purse

from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.rulebook.tokens.prepaying import sure_to_s
from commonwatt.metering.batch import Quality
from commonwatt.model import MICRO, SLOT_SECONDS, AccountId, Commodity, Kind, Outcome
from commonwatt.tokens.ergon import Stage
from commonwatt.tokens.prepaid import Supply, TopUp

ANNA = AccountId("anna")
GRACE_S = 2 * SLOT_SECONDS
RULE = wallets.TopUpRuleItem(threshold_micro=MICRO, amount_micro=10 * MICRO, daily_cap_micro=20 * MICRO)
SWITCHED = {"meter_threshold_micro": 0, "meter_grace_s": GRACE_S}
THIRSTY = Flow(load_wh=4_000)
"""Costs 1.2 units of money."""


def meter(community: Community, account: str = "anna") -> Supply:
    assert community.state.wallets.switch
    return community.state.wallets.switch[2].supply(AccountId(account))


def asked(community: Community, account: str = "anna") -> TopUp | None:
    return community.state.wallets.topups.asked(AccountId(account))


def wish(community: Purse, rule: wallets.TopUpRuleItem | None = RULE) -> Outcome:
    return community.ask("anna", Kind.PURCHASE, wallets.TopUpWish(rule=rule))


@pytest.mark.row("H2")
class TestPurchases:
    def test_a_purchase_is_refunded_in_parts_up_to_what_is_left_and_free(self) -> None:
        community = Purse(2, prepaid_micro=0)
        assert community.pay("anna", 1_000, "card") is Outcome.BOOKED
        assert community.tell(refund("r1", "card", 300)) is Outcome.BOOKED
        assert community.tell(refund("r1", "card", 300)) is Outcome.ALREADY_THERE
        assert community.tell(refund("r1", "card", 301)) is Outcome.NOT_ALLOWED
        assert community.tell(refund("r2", "card", 701)) is Outcome.NOT_BACKED
        assert community.tell(refund("r2", "no card", 1)) is Outcome.UNKNOWN_THING
        assert community.reserve("anna", "ben", Commodity.ERGON, 600)[1] is Outcome.BOOKED
        assert community.tell(refund("r2", "card", 101)) is Outcome.NOT_BACKED
        assert community.tell(refund("r2", "card", 100)) is Outcome.BOOKED
        assert community.ergon("anna") == 600 == -community.ergon("payment-port")
        community.check_rebuilt()

    def test_a_charge_back_takes_what_is_spent_and_never_what_was_refunded(self) -> None:
        community = Purse(2, prepaid_micro=0)
        assert community.pay("anna", 1_000, "card") is Outcome.BOOKED
        assert community.tell(refund("r", "card", 300)) is Outcome.BOOKED
        assert community.give("anna", "ben", Commodity.ERGON, 500) is Outcome.BOOKED
        assert community.tell(charge_back("c", "card", 1_000)) is Outcome.BOOKED
        assert community.ergon("anna") == -500
        assert community.tell(charge_back("c", "card", 1_000)) is Outcome.ALREADY_THERE
        assert community.tell(charge_back("d", "card", 1)) is Outcome.NOT_BACKED, "a person has to look"
        assert community.ergon("payment-port") == 0
        community.check_rebuilt()

    def test_a_reference_that_was_used_for_something_else_is_a_contradiction(self) -> None:
        community = Purse(2, prepaid_micro=0)
        assert community.pay("anna", 1_000, "card") is Outcome.BOOKED
        root = community.state.sections()
        assert community.pay("anna", 1_001, "card") is Outcome.NOT_ALLOWED
        assert community.pay("ben", 1_000, "card") is Outcome.NOT_ALLOWED
        assert community.tell(refund("card", "card", 1)) is Outcome.NOT_ALLOWED
        after = community.state.sections()
        assert [n for n, (a, b) in enumerate(zip(root, after, strict=True)) if a != b] == [2], "numbers alone"

    @pytest.mark.parametrize("who", ["anna", "operator", "oracle", "gw-anna", "dso"])
    def test_nobody_but_the_payment_key_tells_of_money(self, who: str) -> None:
        community = Purse(1)
        bought = wallets.PurchaseBody(account="anna", amount_micro=1, reference="r")
        mandate = wallets.MandateBody(account="anna", active=True)
        for body in (bought, refund("r", "first anna", 1), charge_back("c", "first anna", 1), mandate):
            assert community.ask(who, Kind.PURCHASE, body) is Outcome.NOT_ALLOWED
        for body in (wallets.PayoutPaid(payout="1"), wallets.PayoutFailed(payout="1")):
            assert community.ask(who, Kind.PAYOUT, body) is Outcome.NOT_ALLOWED

    def test_the_payment_key_wishes_nothing_for_itself(self) -> None:
        community = Purse(1)
        assert community.tell(wallets.TopUpWish(rule=RULE)) is Outcome.NOT_ALLOWED
        request = wallets.PayoutRequest(amount_micro=10_000)
        assert community.ask("payment", Kind.PAYOUT, request) is Outcome.NOT_ALLOWED


@pytest.mark.row("H2")
class TestPayouts:
    def test_what_is_to_be_paid_out_is_reserved_and_burned_when_it_is_paid(self) -> None:
        community = Purse(2)
        name, outcome = community.pay_out("anna", PREPAID)
        assert outcome is Outcome.BOOKED
        assert community.ergon("anna") == PREPAID
        assert community.give("anna", "ben", Commodity.ERGON, 1) is Outcome.NOT_BACKED
        assert community.tell(wallets.PayoutPaid(payout=name)) is Outcome.BOOKED
        assert community.tell(wallets.PayoutPaid(payout=name)) is Outcome.ALREADY_THERE
        assert community.ergon("anna") == 0
        assert community.ergon("payment-port") == -PREPAID
        assert not community.state.wallets.transfers.items()
        community.check_rebuilt()

    def test_what_could_not_be_paid_is_free_again(self) -> None:
        community = Purse(2)
        name, _ = community.pay_out("anna", PREPAID)
        assert community.tell(wallets.PayoutFailed(payout=name)) is Outcome.BOOKED
        assert community.tell(wallets.PayoutFailed(payout=name)) is Outcome.ALREADY_THERE
        assert community.tell(wallets.PayoutPaid(payout=name)) is Outcome.NOT_ALLOWED
        assert community.give("anna", "ben", Commodity.ERGON, PREPAID) is Outcome.BOOKED

    def test_what_the_bank_sends_back_after_all_is_minted_again(self) -> None:
        community = Purse(1)
        name, _ = community.pay_out("anna", PREPAID)
        assert community.tell(wallets.PayoutPaid(payout=name)) is Outcome.BOOKED
        assert community.tell(wallets.PayoutFailed(payout=name)) is Outcome.BOOKED
        assert community.tell(wallets.PayoutFailed(payout=name)) is Outcome.ALREADY_THERE
        assert community.ergon("anna") == PREPAID
        assert community.state.wallets.payouts.items()[0].stage is Stage.RETURNED

    def test_no_more_is_paid_out_than_is_free_and_only_what_a_bank_can_move(self) -> None:
        community = Purse(1)
        assert community.pay_out("anna", PREPAID + 10_000)[1] is Outcome.NOT_BACKED
        assert community.pay_out("anna", 10_001)[1] is Outcome.MALFORMED
        assert community.tell(wallets.PayoutPaid(payout="9")) is Outcome.UNKNOWN_THING
        assert community.post("anna", "9") is Outcome.UNKNOWN_THING


@pytest.mark.row("H2")
class TestTopUps:
    def test_a_top_up_is_asked_for_once_the_balance_is_low_and_may_be_collected(self) -> None:
        community = Purse(1, prepaid_micro=MICRO)
        assert wish(community) is Outcome.BOOKED
        assert asked(community) is None, "no card or bank is known yet"
        mandate = wallets.MandateBody(account="anna", active=True)
        assert community.tell(mandate) is Outcome.BOOKED
        assert community.tell(mandate) is Outcome.ALREADY_THERE
        topup = asked(community)
        assert topup
        assert (topup.amount_micro, topup.until_s) == (10 * MICRO, NOON + 259_200)
        bought = wallets.PurchaseBody(account="anna", amount_micro=10 * MICRO, reference="debit", topup=topup.id)
        assert community.tell(bought) is Outcome.BOOKED
        assert asked(community) is None
        assert community.ergon("anna") == 11 * MICRO
        community.check_rebuilt()

    def test_only_one_is_under_way_and_no_day_asks_for_more_than_its_cap(self) -> None:
        community = Purse(1, prepaid_micro=0)
        assert wish(community) is Outcome.BOOKED
        assert community.tell(wallets.MandateBody(account="anna", active=True)) is Outcome.BOOKED
        names = []
        for n in range(3):
            topup = asked(community)
            if topup:
                names.append(topup.id)
                bought = wallets.PurchaseBody(
                    account="anna", amount_micro=10 * MICRO, reference=f"d{n}", topup=topup.id
                )
                assert community.tell(bought) is Outcome.BOOKED
            name, _ = community.pay_out("anna", 9_500_000)
            community.tell(wallets.PayoutPaid(payout=name))
        assert len(names) == 2 == len(set(names))

    def test_a_top_up_that_failed_is_not_asked_for_again_until_its_time_is_over(self) -> None:
        community = Purse(1, prepaid_micro=0, terms={"topup_lasts_s": 2 * SLOT_SECONDS})
        assert wish(community) is Outcome.BOOKED
        assert community.tell(wallets.MandateBody(account="anna", active=True)) is Outcome.BOOKED
        first = asked(community)
        assert first
        failed = wallets.UncollectedBody(account="anna", topup=first.id)
        assert community.tell(failed) is Outcome.BOOKED
        assert community.tell(failed) is Outcome.ALREADY_THERE
        assert community.tell(wallets.UncollectedBody(account="anna", topup="other")) is Outcome.ALREADY_THERE
        assert community.tell(wallets.UncollectedBody(account="nobody", topup="other")) is Outcome.UNKNOWN_THING
        community.live(anna=Flow(load_wh=10))
        again = asked(community)
        assert again and again.id == first.id and again.failed
        community.live(anna=Flow(load_wh=10))
        again = asked(community)
        assert again and again.id != first.id

    def test_a_wish_that_is_taken_back_and_a_mandate_that_is_cancelled_ask_for_nothing(self) -> None:
        community = Purse(1)
        assert wish(community) is Outcome.BOOKED
        assert community.tell(wallets.MandateBody(account="anna", active=True)) is Outcome.BOOKED
        assert wish(community, None) is Outcome.BOOKED
        assert community.pay_out("anna", PREPAID)[1] is Outcome.BOOKED
        community.live(anna=THIRSTY)
        assert wish(community) is Outcome.BOOKED
        assert community.tell(wallets.MandateBody(account="anna", active=False)) is Outcome.BOOKED
        community.now_s += 1
        for _ in range(5):
            community.live(anna=THIRSTY)
        assert community.ergon("anna") < 0
        assert asked(community) is None

    def test_a_rule_that_buys_more_than_its_cap_is_none(self) -> None:
        community = Purse(1)
        rule = wallets.TopUpRuleItem(threshold_micro=0, amount_micro=20_000, daily_cap_micro=10_000)
        assert wish(community, rule) is Outcome.OVER_LIMIT


@pytest.mark.row("H2")
def test_a_low_balance_is_told_once_for_each_fall() -> None:
    community = Purse(1, terms={"low_micro": 4 * MICRO, "clear_micro": 5 * MICRO})
    low = community.state.wallets.low
    assert low
    assert low[2].items() == []
    community.live(anna=THIRSTY)
    assert low[2].items() == ["anna"]
    assert community.pay("anna", 500_000, "a little") is Outcome.BOOKED
    assert low[2].items() == ["anna"], "it trembles, and rings no second time"
    assert community.pay("anna", MICRO, "enough") is Outcome.BOOKED
    assert low[2].items() == []
    community.check_rebuilt()


@pytest.mark.row("H4")
class TestMeters:
    def test_a_meter_is_disabled_after_its_grace_and_enabled_by_the_next_purchase(self) -> None:
        community = Purse(2, terms=SWITCHED, prepaid_micro=MICRO)
        community.live(anna=THIRSTY)
        assert (meter(community), community.ergon("anna")) == (Supply.GRACE, -200_000), "an overdraft, not a refusal"
        community.live()
        assert meter(community) is Supply.GRACE
        community.check_rebuilt()
        community.live()
        assert meter(community) is Supply.DISABLED
        assert meter(community, "ben") is Supply.ENABLED
        community.live(anna=THIRSTY)
        assert community.ergon("anna") == -1_400_000, "whatever a meter says is booked"
        assert community.pay("anna", 1_400_000, "not enough") is Outcome.BOOKED
        assert meter(community) is Supply.DISABLED
        assert community.pay("anna", 1, "enough") is Outcome.BOOKED
        assert meter(community) is Supply.ENABLED
        community.check_rebuilt()

    @pytest.mark.parametrize("how", ["late", "never", "estimated"])
    def test_nobody_is_cut_off_by_a_packet_that_is_late(self, how: str) -> None:
        community = Purse(2, terms=SWITCHED, prepaid_micro=MICRO, grace_slots=0, correction_slots=8)
        community.live(anna=THIRSTY)
        silent_s = community.slot_s
        if how == "estimated":
            told = community.home("anna", Flow())
            community.now_s += SLOT_SECONDS
            assert community.report("gw-anna", silent_s, told, quality=Quality.ESTIMATED) is Outcome.BOOKED
        else:
            community.live(silent=["anna"])
        for _ in range(3):
            community.live()
            assert sure_to_s(community.state, ANNA) == silent_s
            assert meter(community) is Supply.GRACE
        if how == "late":
            told = community.home("anna", Flow(solar_wh=4_000))
            assert community.report("gw-anna", silent_s, told) is Outcome.BOOKED
            assert meter(community) is Supply.ENABLED, "it had sold all the while"
            return
        for _ in range(4):
            assert meter(community) is Supply.GRACE
            community.live()
        community.live()
        assert meter(community) is Supply.DISABLED, "too long ago to be corrected is certain"
        community.check_rebuilt()

    def test_a_top_up_on_its_way_keeps_the_meter_on_until_it_fails(self) -> None:
        community = Purse(1, terms=SWITCHED, prepaid_micro=MICRO)
        assert wish(community) is Outcome.BOOKED
        assert community.tell(wallets.MandateBody(account="anna", active=True)) is Outcome.BOOKED
        topup = asked(community)
        assert topup
        for _ in range(6):
            community.live(anna=THIRSTY)
        assert meter(community) is Supply.GRACE
        assert community.tell(wallets.UncollectedBody(account="anna", topup=topup.id)) is Outcome.BOOKED
        assert meter(community) is Supply.DISABLED

    def test_where_the_charter_switches_no_meter_none_is_looked_at(self) -> None:
        community = Purse(1, terms={}, prepaid_micro=0)
        community.live(anna=THIRSTY)
        assert community.state.wallets.switch is None
        assert not community.state.wallets.touched


def refund(reference: str, purchase: str, amount_micro: int) -> wallets.RefundBody:
    return wallets.RefundBody(reference=reference, purchase=purchase, amount_micro=amount_micro)


def charge_back(reference: str, purchase: str, amount_micro: int) -> wallets.ChargeBackBody:
    return wallets.ChargeBackBody(reference=reference, purchase=purchase, amount_micro=amount_micro)


class Cashiers(RuleBasedStateMachine):
    """Whatever a provider says, twice, late or wrong: ERGON is money received, less money given back."""

    members = st.sampled_from(MEMBERS[:2])
    names = st.sampled_from("abcd")
    amounts = st.integers(1, 300).map(lambda cents: cents * 10_000)

    @initialize()
    def found(self) -> None:
        terms = {"low_micro": 0, "clear_micro": MICRO, "meter_grace_s": SLOT_SECONDS}
        self.community = Purse(2, terms=terms, prepaid_micro=0)
        self.money_micro = 0
        self.paid_out: dict[str, tuple[int, str]] = {}
        for member in MEMBERS[:2]:
            self.community.tell(wallets.MandateBody(account=member, active=True))

    @rule(member=members, name=names, amount=amounts)
    def buy(self, member: str, name: str, amount: int) -> None:
        if self.community.pay(member, amount, name) is Outcome.BOOKED:
            self.money_micro += amount

    @rule(reference=st.sampled_from("rst"), name=names, amount=amounts, mild=st.booleans())
    def take_back(self, reference: str, name: str, amount: int, mild: bool) -> None:
        left = self.community.state.wallets.purchases.left_micro(name)
        told = refund(reference, name, amount) if mild else charge_back(reference, name, amount)
        if self.community.tell(told) is Outcome.BOOKED:
            self.money_micro -= min(amount, left)

    @rule(member=members, amount=amounts)
    def pay_out(self, member: str, amount: int) -> None:
        name, outcome = self.community.pay_out(member, amount)
        if outcome is Outcome.BOOKED:
            self.paid_out[name] = amount, "asked"

    @rule(number=st.integers(0, 5), paid=st.booleans())
    def answer(self, number: int, paid: bool) -> None:
        if not self.paid_out:
            return
        name = sorted(self.paid_out)[number % len(self.paid_out)]
        amount, stage = self.paid_out[name]
        body = wallets.PayoutPaid(payout=name) if paid else wallets.PayoutFailed(payout=name)
        outcome = self.community.tell(body)
        assert (outcome is Outcome.BOOKED) == ((stage, paid) in {("asked", True), ("asked", False), ("paid", False)})
        if outcome is Outcome.BOOKED:
            self.money_micro -= amount if paid else -amount if stage == "paid" else 0
            self.paid_out[name] = amount, "paid" if paid else "over"

    @rule(member=members, amount=amounts, other=members)
    def give(self, member: str, amount: int, other: str) -> None:
        self.community.give(member, other, Commodity.ERGON, amount)

    @rule(member=members, threshold=amounts, amount=amounts, none=st.booleans())
    def wish(self, member: str, threshold: int, amount: int, none: bool) -> None:
        item = wallets.TopUpRuleItem(threshold_micro=threshold, amount_micro=amount, daily_cap_micro=2 * amount)
        body = wallets.TopUpWish(rule=None if none else item)
        assert self.community.ask(member, Kind.PURCHASE, body) is Outcome.BOOKED

    @rule(member=members, arrives=st.booleans())
    def collected(self, member: str, arrives: bool) -> None:
        topup = asked(self.community, member)
        if topup is None:
            return
        if arrives:
            told = wallets.PurchaseBody(
                account=member, amount_micro=topup.amount_micro, reference=f"for {topup.id}", topup=topup.id
            )
            assert self.community.tell(told) is Outcome.BOOKED, "no name is used twice"
            self.money_micro += topup.amount_micro
        else:
            self.community.tell(wallets.UncollectedBody(account=member, topup=topup.id))

    @rule(member=members, wh=st.integers(0, 5_000))
    def live(self, member: str, wh: int) -> None:
        self.community.live(**{member: Flow(load_wh=wh)})

    @invariant()
    def ergon_is_money(self) -> None:
        if not hasattr(self, "community"):
            return
        self.community.check_books()
        assert -self.community.ergon("payment-port") == self.money_micro
        switch = self.community.state.wallets.switch
        assert switch
        for member in MEMBERS[:2]:
            if self.community.ergon(member) > 0:
                assert switch[2].supply(AccountId(member)) is Supply.ENABLED
        waiting = sum(amount for amount, stage in self.paid_out.values() if stage == "asked")
        reserved = self.community.state.wallets.transfers.items()
        assert sum(transfer.amount for transfer in reserved) == waiting

    def teardown(self) -> None:
        if hasattr(self, "community"):
            self.community.check_rebuilt()


@pytest.mark.row("H2")
def test_cashiers_mint_what_was_paid_and_burn_what_went_back() -> None:
    run_state_machine_as_test(Cashiers, settings=settings(max_examples=20, stateful_step_count=30, deadline=None))
