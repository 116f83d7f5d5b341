"""Every sequence of eight acts of payer, payee and stranger on one channel, and a sample of them on the contract."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from channel_hall import DELAY_S, PAYEE, PAYER, SIGNER, STRANGER, Hall
from channel_model import Chan, Paid, Refusal
from commonwatt.flows.chain_ports import Reverted
from commonwatt.identity.keys import SigningKey
from commonwatt.tokens.channel import Config

DEPTH = 8
SAMPLED = 400 if os.environ.get("COMMONWATT_NIGHTLY") else 25
PARTIES: dict[str, SigningKey] = {"payer": PAYER, "payee": PAYEE, "stranger": STRANGER}
TOTALS = (1, 2, 3)
DEPOSIT = 2
"""At once, so that a voucher of 3 is above one deposit and within two."""
Act = tuple[str, str, int]
"""Who, what, and the total that it is about."""


@dataclass(frozen=True, slots=True)
class World:
    """All that matters for what can come: the channel, what the payer has signed, and who has got what."""

    chan: Chan = field(default_factory=lambda: Chan("payer", "payee", DELAY_S))
    signed: frozenset[int] = frozenset()
    now_s: int = 0
    deposited: int = 0
    paid: Paid = field(default_factory=Paid)

    @property
    def best(self) -> int:
        """The highest total that the payer has signed."""
        return max(self.signed, default=0)

    @property
    def sure(self) -> int:
        """What the payee has or can have at once."""
        owed = 0 if self.chan.closed else max(0, min(self.best, self.chan.deposit) - self.chan.claimed)
        return self.paid.to_payee + owed

    def after(self, act: Act) -> "World":
        """Raises Refusal where the contract would refuse."""
        who, what, total = act
        chan, paid = self.chan, Paid()
        if what == "sign":
            return replace(self, signed=self.signed | {total})
        if what == "wait":
            return replace(self, now_s=self.now_s + DELAY_S)
        if what == "deposit":
            return replace(self, chan=chan.add(who, DEPOSIT), deposited=self.deposited + DEPOSIT)
        if what == "claim":
            chan, paid, _ = chan.claim(total, total in self.signed)
        elif what == "close":
            chan, paid = chan.close(who, total, total in self.signed)
        elif what == "withdraw":
            chan = chan.withdraw(who, self.now_s)
        else:
            chan, paid = chan.finish(self.now_s)
        both = Paid(self.paid.to_payee + paid.to_payee, self.paid.to_payer + paid.to_payer)
        return replace(self, chan=chan, paid=both)


def acts(world: World) -> Iterator[Act]:
    yield ("payer", "wait", 0)
    yield from (("payer", "sign", total) for total in TOTALS if total not in world.signed)
    for who in PARTIES:
        if world.deposited < 2 * DEPOSIT:
            yield (who, "deposit", 0)
        yield from ((who, what, 0) for what in ("withdraw", "finish"))
        yield from ((who, "close", total) for total in (0, *TOTALS))
        yield from ((who, "claim", total) for total in TOTALS)


def known_by(world: World) -> World:
    """The same world with its clock set back: only what is left of a delay matters."""
    chan = world.chan
    left_s = max(0, chan.finish_at_s - world.now_s) if chan.finish_at_s else 0
    began = replace(chan, finish_at_s=1 + left_s if chan.finish_at_s else 0)
    return replace(world, now_s=1, chan=began)


@cache
def everything() -> tuple[dict[World, tuple[Act, ...]], int]:
    """Return what the contract as it is can come to, looked at once for all tests."""
    return explored(Chan)


def explored(kind: type[Chan]) -> tuple[dict[World, tuple[Act, ...]], int]:
    """Return every world that eight acts reach with a shortest way to it, and how many steps were looked at."""
    start = World(chan=kind("payer", "payee", DELAY_S), now_s=1)
    reached: dict[World, tuple[Act, ...]] = {start: ()}
    edge, steps = [start], 0
    for _ in range(DEPTH):
        following = []
        for world in edge:
            for act in acts(world):
                steps += 1
                try:
                    after = known_by(world.after(act))
                except Refusal:
                    continue
                hold(world, act, after)
                if after not in reached:
                    reached[after] = (*reached[world], act)
                    following.append(after)
        edge = following
    return reached, steps


def hold(before: World, act: Act, after: World) -> None:
    """What must be true of every step."""
    _, what, total = act
    inside = after.chan.deposit - after.chan.claimed
    assert after.paid.to_payee + after.paid.to_payer + inside == after.deposited, "nothing is made or lost"
    assert 0 <= after.chan.claimed <= after.chan.deposit
    assert before.paid.to_payee <= after.paid.to_payee <= max(after.best, 0), "no more than was signed, none taken back"
    assert before.paid.to_payer <= after.paid.to_payer
    if after.chan.closed:
        assert inside == 0, "both sides are paid out"
        assert after.deposited - after.paid.to_payee == after.paid.to_payer
    else:
        assert after.chan.claimed >= before.chan.claimed, "vouchers are monotone"
    if before.chan.closed:
        assert after.paid == before.paid, "what is over pays nothing, ever"
    late = what == "finish"
    own_loss = what == "close" and total < before.best  # who closes with an old voucher gives the rest away
    if not late and not own_loss:
        assert after.sure >= before.sure, "nobody takes from the payee what is signed and deposited"
    if late:
        assert before.chan.finish_at_s <= before.now_s, "not before the delay is over"


def test_every_sequence_of_eight_acts_keeps_what_is_whose() -> None:
    reached, steps = everything()
    assert (len(reached), steps) == (248, 7_379), "as many as there are: one that is missing was not looked at"
    closed = [world for world in reached if world.chan.closed]
    assert {world.paid.to_payee for world in closed} == {0, 1, 2, 3}
    assert any(world.chan.closed and world.best > world.paid.to_payee for world in reached), "who sleeps loses"


def test_a_payee_who_acts_within_the_delay_gets_all_that_was_signed() -> None:
    """In every world in which a withdrawal runs, claiming at once pays the best voucher, up to the deposit."""
    seen = 0
    for world in everything()[0]:
        if world.chan.finish_at_s and not world.chan.closed:
            got = world.after(("payee", "claim", world.best)) if world.best else world
            assert got.paid.to_payee == min(world.best, world.chan.deposit)
            seen += 1
    assert seen > 20


class Reopening(Chan):
    """Forgets what was paid out once it is closed."""

    def _over(self) -> Chan:
        return replace(self, deposit=0, claimed=0, finish_at_s=0)


class Hasty(Chan):
    """Waits for nobody."""

    def finish(self, now_s: int) -> tuple[Chan, Paid]:
        return super().finish(max(now_s, self.finish_at_s))


class Generous(Chan):
    """Pays a voucher whole each time."""

    def claim(self, total: int, signed: bool) -> tuple[Chan, Paid, str]:
        after, paid, word = super().claim(total, signed)
        return after, Paid(to_payee=after.claimed) if word == "claimed" else paid, word


class Backward(Chan):
    """Takes an older voucher for the better one."""

    def close(self, who: str, total: int, signed: bool) -> tuple[Chan, Paid]:
        after, paid = super().close(who, total, signed)
        return after, replace(paid, to_payer=paid.to_payer + min(1, self.claimed))


@pytest.mark.parametrize("kind", [Reopening, Hasty, Generous, Backward])
def test_a_contract_with_a_fault_would_be_found(kind: type[Chan]) -> None:
    with pytest.raises(AssertionError):
        explored(kind)


@pytest.mark.parametrize("seed", range(SAMPLED))
def test_the_contract_goes_the_same_way(seed: int, hall: Hall) -> None:
    """A channel of its own for each sample; what the model refuses the contract refuses in the same words."""
    chosen = random.Random(seed)
    config, world = hall.config(salt=seed), World()
    had = {who: hall.holds(PARTIES[who]) for who in PARTIES}
    for _ in range(DEPTH):
        world = replace(world, now_s=hall.next_s)
        act = chosen.choice(lawful(world) if chosen.random() < 0.7 else list(acts(world)))
        if act[1] in ("wait", "sign"):
            hall.clock.now_s += DELAY_S if act[1] == "wait" else 0
            world = world.after(act)
            continue
        try:
            world, refused = world.after(act), ""
        except Refusal as error:
            refused = str(error)
        if refused:
            with pytest.raises(Reverted) as found:
                do(hall, config, act, world)
            assert found.value.reason == refused
        else:
            do(hall, config, act, world)
        standing = hall.channels.seen(hall.channels.id(config))
        assert (standing.deposit, standing.claimed) == (world.chan.deposit, world.chan.claimed)
        assert (standing.finish_at_s, standing.closed) == (world.chan.finish_at_s, world.chan.closed)
    gained = {who: hall.holds(PARTIES[who]) - had[who] for who in PARTIES}
    assert gained == {"payer": world.paid.to_payer - world.deposited, "payee": world.paid.to_payee, "stranger": 0}


def lawful(world: World) -> list[Act]:
    """Return the acts that the contract would not refuse, or that are none of its business."""
    found = []
    for act in acts(world):
        try:
            world.after(act)
        except Refusal:
            continue
        found.append(act)
    return found


def do(hall: Hall, config: Config, act: Act, world: World) -> None:
    """Do an act on the chain; a total that nobody signed is shown with a stranger's signature."""
    who, what, total = act
    key, channels = PARTIES[who], hall.channels
    voucher = hall.voucher(config, total, SIGNER if total in world.signed else STRANGER) if total else None
    if what == "deposit":
        hall.done(channels.deposit(key, config, DEPOSIT))
    elif what == "claim":
        assert voucher is not None
        hall.done(channels.claim(key, [(config, voucher)]))
    elif what == "close":
        hall.done(channels.close(key, config, voucher))
    else:
        hall.done((channels.withdraw if what == "withdraw" else channels.finish)(key, config))
