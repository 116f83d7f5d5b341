"""All tokens and accounts of a small community, kept as naively as can be: the oracle of the ledger.

Plain dicts, every rule written out once more from the documents (MISSION rows E2, E3, E4, H2; RULES, Energy and
money) for homes of a connection, a roof and one battery, whose feeder is never silent. Nothing is imported but the
fractions of the standard library. Energy is in Wh, money and TSL in micro, time in seconds.
"""

from collections import defaultdict
from fractions import Fraction
from math import ceil
from typing import NamedTuple

SLOT_S, FOR_EVER_S = 900, 10**18


class Told(NamedTuple):
    """What a home's meters counted in a slot: the connection both ways, the roof, the battery both ways, its level."""

    into: int
    out: int
    sun: int
    charge: int
    discharge: int
    level: int


class Model:
    def __init__(
        self, members: list[str], now_s: int, *, prices: tuple[int, int], b_max: int, efficiency: tuple[int, int],
        tsl_per_kwh: int, rate: int, grace: int,
    ) -> None:  # fmt: skip
        self.members, self.now_s, self.prices, self.b_max = members, now_s, prices, b_max
        self.efficiency, self.tsl_per_kwh, self.rate, self.grace = efficiency, tsl_per_kwh, rate, grace
        self.has: dict[tuple[str, str], int] = defaultdict(int)
        self.reserved: dict[str, tuple[str, str, str, int, int]] = {}
        self.bought: dict[str, list[object]] = {}
        self.said: set[str] = set()
        self.payouts: dict[str, list[object]] = {}
        self.orders: dict[int, tuple[str, str, int, int]] = {}
        self.issued = dict.fromkeys(members, 0)
        self.minted: dict[tuple[int, str], int] = defaultdict(int)
        self.lost: dict[tuple[int, str], int] = defaultdict(int)
        self.told: dict[int, dict[str, Told]] = defaultdict(dict)
        self.feeder: dict[int, tuple[int, int]] = {}
        self.held: dict[tuple[int, str], int] = defaultdict(int)
        self.settled_to_s = now_s

    def move(self, what: str, source: str, target: str, amount: int) -> None:
        self.has[source, what] -= amount
        self.has[target, what] += amount

    def set_aside(self, who: str, what: str) -> int:
        return sum(
            amount for _, commodity, source, amount, _ in self.reserved.values() if (source, commodity) == (who, what)
        )

    def free(self, who: str, what: str) -> int:
        needed = ceil(Fraction(self.has[who, "watt_wh"] * self.tsl_per_kwh, 1000)) if what == "tsl_micro" else 0
        return self.has[who, what] - self.set_aside(who, what) - needed

    def room(self, who: str) -> int:
        right = (self.has[who, "tsl_micro"] - self.set_aside(who, "tsl_micro")) * 1000 // self.tsl_per_kwh
        return min(self.b_max, right) - self.has[who, "watt_wh"]

    # What passes with time: who holds how much for how long, reservations that end, slots that are settled.

    def begin(self, now_s: int) -> None:
        at_s = self.now_s
        while at_s < now_s:
            slot_s = at_s // SLOT_S * SLOT_S
            until_s = min(now_s, slot_s + SLOT_S)
            for who in self.members:
                self.held[slot_s, who] += self.has[who, "watt_wh"] * (until_s - at_s)
            at_s = until_s
        self.now_s = now_s
        self.reserved = {name: one for name, one in self.reserved.items() if one[4] > now_s}
        self.match()

    def end(self) -> None:
        self.match()
        first_s = self.settled_to_s
        while (slot_s := self.settled_to_s) + SLOT_S <= self.now_s:
            complete = len(self.told[slot_s]) == len(self.members) and slot_s in self.feeder
            if not complete and self.now_s < slot_s + (1 + self.grace) * SLOT_S:
                break
            self.settle(slot_s)
            self.settled_to_s += SLOT_S
            self.match()
        for slot_s in range(first_s, self.settled_to_s, SLOT_S):
            self.commission(slot_s)
        self.match()

    def settle(self, slot_s: int) -> None:
        homes = {who: self.told[slot_s][who] for who in self.members if who in self.told[slot_s]}
        into, out = ({who: getattr(home, way) for who, home in homes.items()} for way in ("into", "out"))
        for owner, home in homes.items():
            left = min(home.discharge, self.issued[owner])
            abroad = min(left, out[owner])
            for holder in sorted(set(homes) - {owner}):
                callable_wh = self.has[holder, "watt_wh"] - self.issued[holder]
                called = max(0, min(callable_wh, into[holder], abroad))
                self.burn(owner, holder, called)
                abroad, left = abroad - called, left - called
                into[holder], out[owner] = into[holder] - called, out[owner] - called
            self.burn(owner, owner, min(left, self.has[owner, "watt_wh"]))
            stored = home.level * self.efficiency[1] // 1000
            minted = max(0, min(self.clean(home), stored - self.issued[owner], self.room(owner)))
            self.minted[slot_s, owner] = minted
            self.issued[owner] += minted
            self.move("watt_wh", "mint", owner, minted)
            self.lost[slot_s, owner] = max(0, self.issued[owner] - stored)
            self.take_back(owner, self.issued[owner] - stored)
        bought, sold = self.prices
        counted_in, counted_out = self.feeder[slot_s]
        for who, home in homes.items():
            self.move("energy_wh", "losses", who, home.into - home.out)
            self.move("ergon_micro", who, "losses", cost(into[who], bought) - cost(out[who], sold))
        self.move("energy_wh", "grid", "losses", counted_in - counted_out)
        self.move("ergon_micro", "losses", "grid", cost(counted_in, bought) - cost(counted_out, sold))

    def clean(self, home: Told) -> int:
        """Return what comes out again of the sun that a home's battery took in."""
        load = max(0, home.into - home.out + home.sun + home.discharge - home.charge)
        once, back = self.efficiency
        return min(home.charge, max(0, home.sun - load)) * once * back // 10**6

    def burn(self, battery: str, who: str, wh: int) -> None:
        self.issued[battery] -= wh
        self.move("watt_wh", who, "burn", wh)

    def take_back(self, owner: str, lacking: int) -> None:
        """Burn WATT without energy behind it: the owner's, then everybody's, whom the owner pays."""
        lacking = max(0, lacking)
        own = min(lacking, self.has[owner, "watt_wh"])
        self.burn(owner, owner, own)
        holders = [who for who in self.members if self.has[who, "watt_wh"] > 0]
        for who, wh in zip(holders, split(lacking - own, [self.has[who, "watt_wh"] for who in holders]), strict=True):
            self.burn(owner, who, wh)
            self.move("ergon_micro", owner, who, cost(wh, self.prices[0]))

    def commission(self, slot_s: int) -> None:
        paid = 0
        for who in self.members:
            can = self.has[who, "tsl_micro"] - self.set_aside(who, "tsl_micro")
            fee = min(can, round(Fraction(self.rate * self.held[slot_s, who], SLOT_S * 1000)))
            self.move("tsl_micro", who, "commission-pool", fee)
            paid += fee
        owners, education, network = split(paid, [80, 10, 10])
        waiting = self.has["commission-pool", "tsl_micro"] - paid + owners
        levels = {who: home.level for who, home in self.told[slot_s].items()}
        before = {who: home.level for who, home in self.told[slot_s - SLOT_S].items()}
        stores = {who: level + before.get(who, level) for who, level in sorted(levels.items())}
        for who, share in zip(stores, split(waiting, list(stores.values())), strict=True):
            self.move("tsl_micro", "commission-pool", who, share)
        self.move("tsl_micro", "commission-pool", "education-pot", education)
        self.move("tsl_micro", "commission-pool", "network", network)

    # What people and meters do; each tells whether it is done.

    def report(self, who: str, slot_s: int, told: Told) -> None:
        """Take in a home's meters: on time, late, or other than before."""
        older = self.told[slot_s].get(who)
        self.told[slot_s][who] = told
        if slot_s >= self.settled_to_s:
            return
        was = older or Told(0, 0, 0, 0, 0, 0)
        self.move("energy_wh", "losses", who, told.into - was.into - told.out + was.out)
        bought, sold = self.prices
        owed = cost(told.into, bought) - cost(was.into, bought) - cost(told.out, sold) + cost(was.out, sold)
        self.move("ergon_micro", who, "losses", owed)
        minted, more = self.minted[slot_s, who], max(0, told.discharge - was.discharge)
        for later_s in sorted(s for s, owner in self.lost if owner == who and s > slot_s):
            counted = min(more, self.lost[later_s, who])
            self.lost[later_s, who] -= counted
            more -= counted
        self.take_back(who, min(more, max(0, self.issued[who] - minted)))
        self.minted[slot_s, who] = min(minted, self.clean(told))
        later = sum(wh for (s, owner), wh in self.minted.items() if owner == who and s > slot_s)
        self.take_back(who, min(max(0, self.issued[who] - later), minted - self.minted[slot_s, who]))

    def buy(self, reference: str, who: str, amount: int) -> bool:
        if reference in self.said:
            return False
        self.said.add(reference)
        self.bought[reference] = [who, amount]
        self.move("ergon_micro", "payment-port", who, amount)
        return True

    def take_money_back(self, reference: str, purchase: str, amount: int, *, asked: bool) -> bool:
        if reference in self.said or purchase not in self.bought:
            return False
        who, left = self.bought[purchase]
        if (asked and amount > min(left, self.free(who, "ergon_micro"))) or not left:  # type: ignore[arg-type, type-var]
            return False
        taken = min(amount, left)  # type: ignore[type-var]
        self.said.add(reference)
        self.bought[purchase][1] -= taken  # type: ignore[operator]
        self.move("ergon_micro", who, "payment-port", taken)  # type: ignore[arg-type]
        return True

    def ask_payout(self, name: str, who: str, amount: int) -> bool:
        if self.free(who, "ergon_micro") < amount:
            return False
        self.payouts[name] = [who, amount, "asked"]
        self.reserved["payout " + name] = ("payment-port", "ergon_micro", who, amount, FOR_EVER_S)
        return True

    def end_payout(self, name: str, *, paid: bool) -> bool:
        who, amount, stage = self.payouts.get(name, ["", 0, "unknown"])
        if (stage, paid) not in (("asked", True), ("asked", False), ("paid", False)):
            return False
        self.payouts[name][2] = "paid" if paid else "failed"
        self.reserved.pop("payout " + name, None)
        if paid or stage == "paid":
            self.move("ergon_micro", str(who), "payment-port", amount if paid else -amount)  # type: ignore[arg-type, operator]
        return True

    def give(self, who: str, to: str, what: str, amount: int) -> bool:
        if who == to or self.free(who, what) < amount or (what == "watt_wh" and self.room(to) < amount):
            return False
        self.move(what, who, to, amount)
        return True

    def reserve(self, name: str, who: str, to: str, what: str, amount: int, until_s: int) -> bool:
        if who == to or until_s <= self.now_s or self.free(who, what) < amount:
            return False
        self.reserved[name] = (to, what, who, amount, until_s)
        return True

    def post(self, name: str, by: str, amount: int | None = None) -> bool:
        to, what, who, most, _ = self.reserved.get(name, ("", "", "", 0, 0))
        amount = amount or most
        poor = what != "ergon_micro" and self.has[who, what] < amount
        if to != by or amount > most or poor or (what == "watt_wh" and self.room(to) < amount):
            return False
        del self.reserved[name]
        self.move(what, who, to, amount)
        return True

    def void(self, name: str, by: str) -> bool:
        if name not in self.reserved or self.reserved[name][0] != by:
            return False
        del self.reserved[name]
        return True

    def order(self, position: int, who: str, side: str, wh: int, price: int) -> bool:
        """Let an order in, unless it would meet one of its owner's own."""
        for other, way, _, limit in self.orders.values():
            if other == who and way != side and (limit <= price if side == "bid" else limit >= price):
                return False
        self.orders[position] = (who, side, wh, price)
        self.match()
        return True

    def cancel(self, position: int, who: str) -> bool:
        return position in self.orders and self.orders[position][0] == who and bool(self.orders.pop(position))

    def match(self) -> None:
        """Trade until no two orders can: best bid first, then best ask, at the price of whoever came first."""
        while trade := next(self.possible(), None):
            bid, ask, wh, price = trade
            buyer, seller = self.orders[bid][0], self.orders[ask][0]
            self.move("watt_wh", seller, buyer, wh)
            self.move("ergon_micro", buyer, seller, cost(wh, price))
            for one in (bid, ask):
                who, side, left, limit = self.orders.pop(one)
                self.orders |= {one: (who, side, left - wh, limit)} if left > wh else {}

    def possible(self):  # type: ignore[no-untyped-def]  # yields bid, ask, Wh and price
        bids = sorted((-price, n) for n, (_, side, _, price) in self.orders.items() if side == "bid")
        asks = sorted((price, n) for n, (_, side, _, price) in self.orders.items() if side == "ask")
        for _, bid in bids:
            buyer, _, wanted, limit = self.orders[bid]
            if max(0, self.free(buyer, "ergon_micro")) * 1000 < limit:
                continue  # it waits until its buyer could pay 1 Wh at its limit
            backing = {who: self.free(who, "watt_wh") for who in self.members}
            for price, ask in asks:
                seller, _, offered, _ = self.orders[ask]
                backed = max(0, min(offered, backing[seller]))
                backing[seller] -= backed
                paid = price if ask < bid else limit
                funds = self.free(buyer, "ergon_micro")
                can_pay = wanted if paid == 0 else max(0, funds * 1000 // paid)
                wh = min(wanted, self.room(buyer), backed, can_pay)
                if price <= limit and seller != buyer and wh > 0:
                    yield bid, ask, wh, paid


def cost(wh: int, price: int) -> int:
    return round(Fraction(wh * price, 1000))


def split(total: int, weights: list[int]) -> list[int]:
    """Split by largest remainders; nothing, where there is nobody to take it."""
    if not any(weights):
        return [0] * len(weights)
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    shares = [int(part) for part in exact]
    for n in sorted(range(len(weights)), key=lambda n: shares[n] - exact[n])[: total - sum(shares)]:
        shares[n] += 1
    return shares
