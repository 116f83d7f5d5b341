"""The contract of channels against its model: many channels, anybody's calls, equal state, logs and refusals."""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from channel_hall import DELAY_S, GUARDIAN, PAYEE, PAYER, SIGNER, STRANGER, Hall
from channel_model import Chan, Paid, Refusal
from commonwatt.flows.chain_ports import Receipt, Reverted, TxHash
from commonwatt.tokens.channel import Config, Voucher

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
EXAMPLES, STEPS = (200, 60) if NIGHTLY else (6, 20)
PAUSE_S = 7 * 86_400
KEYS = {"payer": PAYER, "payee": PAYEE, "stranger": STRANGER}
EVENTS = ("Opened", "Deposited", "Claimed", "Skipped", "Withdrawing", "Closed")
WHO, PLACE = st.sampled_from(sorted(KEYS)), st.integers(0, 2)
AMOUNT, TOTAL = st.integers(0, 40) | st.just(2**127), st.integers(1, 60)
_SALTS = iter(range(1, 10**9))


class Worlds(RuleBasedStateMachine):
    """Three channels of one payer and payee; what one call does to the model it does to the contract."""

    hall: Hall
    paused_until = 0
    """Of the contract that all runs share."""

    @initialize()
    def begin(self) -> None:
        self.configs = [self.hall.config(salt=next(_SALTS)) for _ in range(3)]
        self.chans = [Chan("payer", "payee", DELAY_S) for _ in range(3)]
        self.had = {who: self.hall.holds(key) for who, key in KEYS.items()}
        self.gained: Counter[str] = Counter()

    @rule(place=PLACE, who=WHO, amount=AMOUNT)
    def deposit(self, place: int, who: str, amount: int) -> None:
        chan, config = self.chans[place], self.configs[place]
        try:
            if self.hall.next_s < self.paused_until:
                raise Refusal("governed: paused")
            after = chan.add(who, amount)
            if amount > 10**15:
                raise Refusal("token: more than is allowed")
        except Refusal as error:
            self.refused(error, lambda: self.hall.channels.deposit(KEYS[who], config, amount))
            return
        receipt = self.hall.done(self.hall.channels.deposit(KEYS[who], config, amount))
        opened = [] if chan.deposit else [("Opened", place)]
        assert self.said(receipt) == [*opened, ("Deposited", place, amount)]
        self.chans[place] = after
        self.gained["payer"] -= amount

    @rule(who=WHO, told=st.lists(st.tuples(PLACE, TOTAL, st.booleans()), min_size=1, max_size=5))
    def claim(self, who: str, told: list[tuple[int, int, bool]]) -> None:
        """A batch of good and forged vouchers, some for one channel several times."""
        words: list[tuple[Any, ...]] = []
        for place, total, signed in told:
            chan, paid, word = self.chans[place].claim(total, signed)
            self.chans[place] = chan
            self.gained["payee"] += paid.to_payee
            words.append(("Claimed", place, chan.claimed) if word == "claimed" else ("Skipped", place, word == "stale"))
        held = [(self.configs[place], self.voucher(place, total, signed)) for place, total, signed in told]
        assert self.said(self.hall.done(self.hall.channels.claim(KEYS[who], held))) == words

    @rule(place=PLACE, who=WHO, total=st.none() | TOTAL, signed=st.booleans())
    def close(self, place: int, who: str, total: int | None, signed: bool) -> None:
        voucher = self.voucher(place, total, signed) if total else None
        self.over(place, lambda: self.chans[place].close(who, total or 0, signed),
                  lambda: self.hall.channels.close(KEYS[who], self.configs[place], voucher))  # fmt: skip

    @rule(place=PLACE, who=WHO)
    def withdraw(self, place: int, who: str) -> None:
        try:
            after = self.chans[place].withdraw(who, self.hall.next_s)
        except Refusal as error:
            self.refused(error, lambda: self.hall.channels.withdraw(KEYS[who], self.configs[place]))
            return
        receipt = self.hall.done(self.hall.channels.withdraw(KEYS[who], self.configs[place]))
        assert self.said(receipt) == [("Withdrawing", place, after.finish_at_s)]
        self.chans[place] = after

    @rule(place=PLACE, who=WHO)
    def finish(self, place: int, who: str) -> None:
        self.over(place, lambda: self.chans[place].finish(self.hall.next_s),
                  lambda: self.hall.channels.finish(KEYS[who], self.configs[place]))  # fmt: skip

    @rule(seconds=st.sampled_from([1, DELAY_S - 30, DELAY_S, PAUSE_S]))
    def wait(self, seconds: int) -> None:
        self.hall.clock.now_s = self.hall.next_s + seconds

    @rule()
    def pause(self) -> None:
        """Stop what enters, or let it in again; after a pause another comes as late as that was long."""
        contract, now_s = self.hall.channels.contract, self.hall.next_s
        if now_s < self.paused_until:
            self.hall.done(self.hall.chain.send(GUARDIAN, contract, "resume"))
            Worlds.paused_until = now_s
        elif now_s < self.paused_until + PAUSE_S:
            early = Refusal("governed: paused a while ago")
            self.refused(early, lambda: self.hall.chain.send(GUARDIAN, contract, "pause"))
        else:
            self.hall.done(self.hall.chain.send(GUARDIAN, contract, "pause"))
            Worlds.paused_until = now_s + PAUSE_S

    @invariant()
    def state_is_equal(self) -> None:
        for config, chan in zip(getattr(self, "configs", ()), getattr(self, "chans", ()), strict=True):
            found = self.hall.channels.seen(self.hall.channels.id(config))
            assert (found.deposit, found.claimed) == (chan.deposit, chan.claimed)
            assert (found.finish_at_s, found.closed) == (chan.finish_at_s, chan.closed)

    @precondition(lambda self: hasattr(self, "chans"))
    @invariant()
    def everybody_has_what_the_model_says(self) -> None:
        for who, key in KEYS.items():
            assert self.hall.holds(key) - self.had[who] == self.gained[who]
        inside = sum(chan.deposit - chan.claimed for chan in self.chans)
        assert sum(self.gained.values()) == -inside

    def over(self, place: int, model: Any, contract: Any) -> None:
        """End a channel in both, or be refused by both."""
        try:
            after, paid = model()
        except Refusal as error:
            self.refused(error, contract)
            return
        assert isinstance(paid, Paid)
        assert self.said(self.hall.done(contract())) == [("Closed", place, paid.to_payee, paid.to_payer)]
        self.chans[place] = after
        self.gained.update(payee=paid.to_payee, payer=paid.to_payer)

    def refused(self, error: Refusal, contract: Any) -> TxHash | None:
        with pytest.raises(Reverted) as found:
            contract()
        assert found.value.reason == str(error)
        return None

    def voucher(self, place: int, total: int, signed: bool) -> Voucher:
        return self.hall.voucher(self.configs[place], total, SIGNER if signed else STRANGER)

    def said(self, receipt: Receipt) -> list[tuple[Any, ...]]:
        """Return what the contract said, in order, by the channel's place."""
        places = {self.hall.channels.id(config): place for place, config in enumerate(self.configs)}
        contract, found = self.hall.channels.contract, []
        for name in EVENTS:
            for event in self.hall.chain.events(contract, name, receipt.block, receipt.block):
                values = dict(event.values)
                place = places[values.pop("channel").hex()]
                if name == "Opened":
                    assert (
                        Config(**values | {"payee": PAYEE.id, "salt": int.from_bytes(values["salt"])})
                        == (self.configs[place])
                    )
                    values = {}
                values.pop("payee", None)
                found.append((event.index, (name, place, *values.values())))
        return [told for _, told in sorted(found)]


def test_the_contract_does_what_the_model_does() -> None:
    Worlds.hall, Worlds.paused_until = Hall(), 0
    Worlds.hall.approve()
    run_state_machine_as_test(
        Worlds, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    )
