"""Who may state what about whom: the whole table, and refusals in words."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest

from commonwatt.flexibility.permission import SAYS, Known, Objection, claim_objection, objection
from commonwatt.model import Constraint, Interval, Outcome, Priority, Quantity, Reach, Relation, Repeating

NOON = datetime(2018, 4, 20, 12, tzinfo=UTC)
OWNERS = {"anna-car": "anna", "anna-battery": "anna", "anna-home": "anna", "ben-battery": "ben"}
KNOWN = Known(
    owner=OWNERS.get,
    stores=lambda name: name != "anna-home",
    consents={"anna-battery": True, "ben-battery": False}.get,  # type: ignore[arg-type]
    connection={"anna-home": "anna", "ben-home": "ben"}.get,
    is_owner={"anna", "ben"}.__contains__,
    is_zone={"PL"}.__contains__,
    is_feeder={"F1"}.__contains__,
    pays=lambda account, zone: (account, zone) == ("anna", "PL"),
)
OWN = {
    Reach.ASSET: "anna-battery",
    Reach.OWNER: "anna",
    Reach.CONNECTION: "anna-home",
    Reach.ZONE: "PL",
    Reach.FEEDER: "F1",
}
ALLOWED = {
    "member": (Priority.OWNER, {Reach.ASSET, Reach.OWNER, Reach.CONNECTION}),
    "dso": (Priority.DSO, {Reach.ZONE, Reach.FEEDER, Reach.CONNECTION}),
    "tso": (Priority.GRID, {Reach.ZONE, Reach.FEEDER, Reach.COMMUNITY}),
    "operator": (Priority.CONTRACT, {Reach.COMMUNITY}),
    "aggregator": (Priority.CONTRACT, {Reach.ASSET}),
    "utility": (Priority.CONTRACT, {Reach.ZONE}),
}


def power(reach: Reach, *scope: str, priority: Priority = Priority.OWNER) -> Constraint:
    return Constraint(
        quantity=Quantity.POWER,
        reach=reach,
        scope=scope,
        relation=Relation.AT_MOST,
        value=1_000,
        window=Interval(NOON, NOON + timedelta(hours=1)),
        priority=priority,
    )


def no(statement: Constraint | Repeating, role: str = "member", account: str = "anna") -> Objection:
    found = objection(statement, role, account, KNOWN)
    assert found is not None
    return found


@pytest.mark.row("X1")
@pytest.mark.row("X14")
@pytest.mark.parametrize(("role", "reach", "priority"), list(product([*ALLOWED, "gateway", "agent"], Reach, Priority)))
def test_the_table_of_roles_reaches_and_priorities(role: str, reach: Reach, priority: Priority) -> None:
    scope = () if reach is Reach.COMMUNITY else (OWN[reach],)
    found = objection(power(reach, *scope, priority=priority), role, "anna", KNOWN)
    highest, reaches = ALLOWED.get(role, (Priority.COMFORT, set()))
    assert (found is None) == (reach in reaches and priority >= highest)
    assert found is None or found.outcome is Outcome.NOT_ALLOWED
    assert set(SAYS) == set(ALLOWED)


@pytest.mark.row("X1")
def test_owners_speak_of_their_own_alone() -> None:
    for reach, name in ((Reach.ASSET, "ben-battery"), (Reach.OWNER, "ben"), (Reach.CONNECTION, "ben-home")):
        found = no(power(reach, OWN[reach], name))
        assert (found.outcome, found.rule) == (Outcome.NOT_ALLOWED, "owners speak of what is theirs")
        assert str(found) == f"owners speak of what is theirs: named {reach} {name}, of ben, found anna"


def test_nobody_speaks_of_what_is_not_there() -> None:
    for role, reach in (
        ("member", Reach.ASSET),
        ("member", Reach.CONNECTION),
        ("dso", Reach.ZONE),
        ("dso", Reach.FEEDER),
    ):
        priority = SAYS[role].highest
        assert no(power(reach, "nothing", priority=priority), role).outcome is Outcome.UNKNOWN_THING
    assert no(power(Reach.OWNER, "nobody")).outcome is Outcome.UNKNOWN_THING


def test_a_contract_is_with_those_who_agreed_to_be_scheduled() -> None:
    agreed = power(Reach.ASSET, "anna-battery", priority=Priority.CONTRACT)
    assert objection(agreed, "aggregator", "pool", KNOWN) is None
    for other in ("ben-battery", "anna-car"):
        found = no(replace(agreed, scope=("anna-battery", other)), "aggregator", "pool")
        assert (found.rule, found.found) == ("a contract is about what its owner lets be scheduled", {"asset": other})


def test_a_utility_speaks_of_zones_in_which_somebody_accepted_an_offer_of_its() -> None:
    asked = power(Reach.ZONE, "PL", priority=Priority.CONTRACT)
    assert objection(asked, "utility", "anna", KNOWN) is None
    found = no(asked, "utility", "ben")
    assert (found.outcome, found.rule) == (
        Outcome.NOT_ALLOWED,
        "a utility speaks of zones in which a contract of its runs",
    )


def test_what_repeats_is_held_against_the_same_table() -> None:
    nightly = Repeating(
        quantity=Quantity.CHARGE,
        scope=("anna-home",),
        relation=Relation.AT_LEAST,
        value=80,
        start_minute=450,
        first=date(2018, 4, 20),
        zone="Europe/London",
    )
    assert no(nightly).outcome is Outcome.OVER_LIMIT, "it stores nothing"
    assert objection(replace(nightly, scope=("anna-car",)), "member", "anna", KNOWN) is None
    assert no(replace(nightly, priority=Priority.GRID)).rule == "a role claims no more than its own priority"


def test_words_alone_tell_what_a_role_has_a_say_in() -> None:
    assert claim_objection(power(Reach.ASSET, "whatever"), "member") is None
    refused = claim_objection(power(Reach.ZONE, "PL"), "member")
    assert refused is not None
    assert "role member, may asset or connection or owner, found zone" in str(refused)
