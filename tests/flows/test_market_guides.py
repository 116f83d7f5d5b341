"""What the guides of auctions, direct sales and interchange show is what the log reads."""

from pathlib import Path

import msgspec
import pytest

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market.auctions import auction_bodies
from commonwatt.flows.rulebook.market.interchange import interchange_bodies as interchange
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import Kind

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
SHOWN = [
    ("market.md", 0, Kind.ORDER),
    ("market.md", 1, Kind.CANCEL),
    ("slots.md", 0, Kind.ORDER),
    ("slots.md", 1, Kind.REGISTER),
    ("auctions.md", 0, Kind.AUCTION),
    ("auctions.md", 1, Kind.TRANSFER),
    ("interchange.md", 0, Kind.INTERCHANGE),
]


def shown(page: str, number: int) -> list[str]:
    block = (GUIDE / page).read_text().split("```json\n")[number + 1]
    return block.split("```")[0].splitlines()


@pytest.mark.parametrize(("page", "number", "kind"), SHOWN)
def test_every_example_is_a_body_that_the_log_reads(page: str, number: int, kind: Kind) -> None:
    for line in shown(page, number):
        body = bodies.read_body(kind, msgspec.json.decode(line))
        if line.startswith('{"what": "open"'):
            assert isinstance(body, auction_bodies.Open)
            assert body.terms().amount == body.amount, "and an auction that can be opened"


def test_the_document_in_the_guide_is_signed_by_its_neighbour() -> None:
    neighbour, prepare, _ = (
        bodies.read_body(Kind.INTERCHANGE, msgspec.json.decode(line)) for line in shown("interchange.md", 0)
    )
    assert isinstance(neighbour, interchange.RegisterNeighbour) and isinstance(prepare, interchange.Prepare)
    told = prepare.document.read()
    assert told.taker == neighbour.community
    key = VerifyingKey(bytes.fromhex(neighbour.operator))
    assert key.verify(told.signed_bytes(), prepare.taker_signature)
