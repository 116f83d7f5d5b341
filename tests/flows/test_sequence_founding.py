"""How a log begins: with the community, signed by the key that it names, in a place that has a clock."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from community import NAME, NOON, Community, key
from standing import PURCHASE

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.model import AccountId, AssetKind, CommunityId, Kind, Outcome, Request
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts


def test_a_log_begins_with_the_community_signed_by_the_key_that_it_names() -> None:
    empty = Sequencer(PaperLog(), NAME, salts("tiny"))
    charter = {
        "what": "community",
        "timezone": "Europe/Paris",
        "b_max_wh": 1,
        "grace_slots": 1,
        "gate_s": 1,
        "correction_slots": 1,
    }

    def first(kind: Kind, body: dict[str, object], seq: int = 1, name: str = NAME) -> Outcome:
        request = Request(
            community=CommunityId(name),
            kind=kind,
            author=key("operator").id,
            seq=seq,
            on_behalf_of=AccountId("operator"),
            body=body,
        )
        wire = replace(request, signature=key("operator").sign(request.signed_bytes())).wire_bytes()
        (outcome,) = empty.submit([wire], NOON)
        return outcome

    own, others = ({"public": key(who).public.hex()} for who in ("operator", "anna"))
    assert first(Kind.PURCHASE, bodies.write_body(PURCHASE)) is Outcome.UNKNOWN_KEY
    assert first(Kind.REGISTER, {"what": "gateway", "gateway": "g", "alg": "secp256k1"} | own) is Outcome.UNKNOWN_KEY
    assert first(Kind.REGISTER, charter | own, seq=2) is Outcome.UNKNOWN_KEY
    assert first(Kind.REGISTER, charter | others) is Outcome.BAD_SIGNATURE
    assert first(Kind.REGISTER, charter | {"public": "02" + "ff" * 32}) is Outcome.MALFORMED
    assert first(Kind.REGISTER, charter | own, name="other") is Outcome.WRONG_COMMUNITY
    assert len(empty.tree) == 0
    assert first(Kind.REGISTER, charter | own) is Outcome.BOOKED


def newborn(timezone: str) -> tuple[Community, Outcome]:
    """Return a community of which nothing is told but its founding, and how that was answered."""
    community = Community.__new__(Community)
    community.store, community.now_s = PaperLog(), NOON
    community.sequencer = Sequencer(community.store, NAME, salts("tiny"))
    return community, community.ask("operator", Kind.REGISTER, founding(timezone))


def founding(timezone: str) -> bodies.RegisterCommunity:
    return bodies.RegisterCommunity(
        public=key("operator").public.hex(),
        timezone=timezone,
        b_max_wh=1,
        grace_slots=1,
        gate_s=1,
        correction_slots=1,
    )


@pytest.mark.parametrize("timezone", ["UTC", "Europe/London", "Etc/GMT+1", "America/Argentina/Buenos_Aires"])
def test_a_community_keeps_its_clock_where_there_is_one(timezone: str) -> None:
    community, outcome = newborn(timezone)
    assert outcome is Outcome.BOOKED
    community.register_key("anna", "member", "anna")
    community.register_gateway("gw-anna")
    community.claim("anna", "anna-battery", AssetKind.BATTERY, capacity_wh=1_000)
    assert community.state_that("anna", "charge of anna-battery >= 80% at 07:30") is Outcome.BOOKED
    (stated,) = community.state.stated
    assert f"{stated.constraint.at.astimezone(ZoneInfo(timezone)):%H:%M}" == "07:30"


NOWHERE = [
    "Mars/Olympus",
    "Europe/Pariss",
    "leapseconds",
    "../UTC",
    "/UTC",
    "UTC/",
    "",
    "UTC\n",
    "Ünited/Kingdom",
    "A" * 65,
]


@pytest.mark.parametrize("timezone", NOWHERE)
def test_a_community_in_a_place_that_has_no_clock_is_not_founded(timezone: str) -> None:
    community, outcome = newborn(timezone)
    assert outcome is Outcome.MALFORMED
    assert community.roots().leaves == community.store.size == 0
    assert community.ask("operator", Kind.REGISTER, founding("UTC")) is Outcome.BOOKED


@pytest.mark.parametrize("timezone", ["Europe", "America/Argentina"])
def test_a_folder_of_clocks_is_no_clock(timezone: str) -> None:
    _, outcome = newborn(timezone)
    assert outcome is Outcome.MALFORMED
