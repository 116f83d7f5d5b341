"""What people and their gateways sign in the simulated world, from sensible to impossible."""

from dataclasses import dataclass, field
from random import Random

from community import EXPORT, IMPORT, MEMBERS, NOON, Community, order_body

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import SLOT_SECONDS, Commodity, Kind, Side

EVENTS = {
    "somebody_asks": 14,
    "somebody_asks_again": 8,
    "somebody_says_two_things": 2,
    "something_strange_comes": 6,
    "requests_arrive": 25,
    "the_clock_is_wrong": 3,
    "time_passes": 8,
    "a_slot_is_metered": 5,
    "the_operator_closes_a_slot": 6,
    "a_snapshot_is_kept": 2,
    "the_writer_dies": 2,
    "the_next_write_fails": 3,
    "an_old_writer_wakes_up": 1,
    "a_witness_looks": 8,
    "a_witness_dies": 3,
    "witnesses_talk": 3,
}
"""What can happen, and how often."""


@dataclass
class Person:
    """Somebody who signs: what they asked for and have no answer to, which they say again until they have."""

    name: str
    next_seq: int
    waiting: dict[int, bytes] = field(default_factory=dict)


def wish(pen: Community, chance: Random, now_s: int, name: str, seq: int) -> bytes:
    """Return a signed request of somebody, from sensible to impossible."""
    if name == "payment":
        amount = chance.choice((1, 500_000, 10**12))
        body = bodies.PurchaseBody(
            account=chance.choice(MEMBERS), amount_micro=amount, reference=f"p{chance.randrange(9)}"
        )
        return pen.wire(name, Kind.PURCHASE, body, seq=seq)
    if name in pen.members:
        price, wh = chance.choice((0, EXPORT, 200_000, IMPORT, 10**9)), chance.choice((1, 100, 4_000, 10**9))
        target, commodity = chance.choice((*MEMBERS, "grid")), chance.choice(list(Commodity))
        side = chance.choice(list(Side))
        slot_s = chance.choice((None, now_s // SLOT_SECONDS * SLOT_SECONDS + SLOT_SECONDS, now_s))
        last = str(chance.randrange(pen.store.size + 1))
        kind, body = chance.choice(
            (
                (Kind.ORDER, order_body(side, wh, price, slot_s)),
                (Kind.CANCEL, order_bodies.CancelBody(order=last)),
                (Kind.TRANSFER, wallets.Give(target=target, commodity=commodity, amount=wh)),
                (Kind.TRANSFER, wallets.Reserve(target=target, commodity=commodity, amount=wh, until_s=now_s + wh)),
                (Kind.TRANSFER, wallets.Post(transfer=last)),
                (Kind.PAYOUT, wallets.PayoutRequest(amount_micro=10_000 * chance.randint(1, 9))),
                (Kind.CONSTRAINT, bodies.ConstraintBody(text="poison >= \u0000 %", said_s=now_s)),
            )
        )
        return pen.wire(name, kind, body, seq=seq)
    wh = chance.choice((0, 7, 10**9))
    slot_s = chance.choice((NOON, now_s // SLOT_SECONDS * SLOT_SECONDS))
    items = encode_items([Item(start_s=slot_s, register=chance.randrange(4), import_wh=wh, export_wh=0)])
    return pen.wire(name, Kind.READING_BATCH, bodies.batch_head(name, items), seq=seq, items=items)


def reading(pen: Community, number: str, seq: int, slot_s: int, told: dict[str, tuple[int, ...]]) -> bytes:
    behind = pen.behind(number)
    items = [
        Item(
            start_s=slot_s,
            register=behind.index(asset),
            **dict(zip(("import_wh", "export_wh", "level_wh"), wh, strict=False)),
        )  # type: ignore[arg-type]
        for asset, wh in sorted(told.items(), key=lambda one: behind.index(one[0]))  # type: ignore[arg-type]
    ]
    packed = encode_items(items)
    return pen.wire(number, Kind.READING_BATCH, bodies.batch_head(number, packed), seq=seq, items=packed)
