"""A community that no test may change, and what is sent to it to be refused."""

from functools import cache

from community import NOON, Community

from commonwatt.flows.rulebook import bodies
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import Outcome

RECORDS = [
    encode_items([Item(start_s=start_s, register=register, import_wh=10**9, export_wh=0)])
    for start_s in (0, NOON - 900, NOON)
    for register in (0, 3)
]
PURCHASE = bodies.PurchaseBody(account="anna", amount_micro=7, reference="bank")
BOUGHT = bodies.write_body(PURCHASE)


@cache
def standing() -> Community:
    """Return a community that no test may change: refusals only."""
    return Community(1)


def refused(wire: bytes, outcome: Outcome, community: Community | None = None) -> None:
    community = community or standing()
    before = community.roots()
    assert community.send(wire) is outcome
    assert community.roots() == before
    assert community.roots().leaves == community.store.size
