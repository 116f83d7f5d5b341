"""Who attests what: each profession its own, on the operator's word, with a signature that holds, within its dates."""

import pytest
from community import NAME, NOON, Community, key
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from professionals import BATTERY, PROFESSIONS, attest, authorise, inspected, limits, qualify, revoke, staffed, words
from specified import inspect, plan, specify

from commonwatt.flows.rulebook.identity.trust_bodies import Withdraw
from commonwatt.identity.credentials import Credential, Registration, asset_urn, issue_credential, key_urn
from commonwatt.model import Kind, Outcome


@pytest.mark.parametrize("by", ["anna", "ben", "engineer", "installer"])
def test_only_the_issuer_and_the_operator_revoke(by: str) -> None:
    community = staffed()
    credential = inspect(community, "pass")
    assert revoke(community, credential, by) is Outcome.NOT_ALLOWED
    assert plan(community) is Outcome.BOOKED


def test_what_nobody_attested_cannot_be_revoked() -> None:
    community = staffed()
    credential = inspect(community, "pass")
    assert revoke(community, credential, "inspector", "anna-home") is Outcome.UNKNOWN_THING
    assert revoke(community, credential, "inspector", "nothing") is Outcome.UNKNOWN_THING
    assert revoke(community, credential, "operator", None) is Outcome.UNKNOWN_THING
    other = words("inspector", inspected("pass"), NOON - 9)
    assert revoke(community, other, "inspector") is Outcome.UNKNOWN_THING


@pytest.mark.parametrize("by", ["engineer", "inspector", "installer", "anna", "operator", "agent"])
@pytest.mark.parametrize("what", ["specification", "inspection", "registration"])
def test_each_profession_attests_its_own_and_no_other(by: str, what: str) -> None:
    community = staffed()
    community.register_key("agent", "agent", "agent")
    claim = {
        "specification": limits(max_import_w=1),
        "inspection": inspected("fail"),
        "registration": behind(),
    }[what]
    may = {"engineer": "specification", "inspector": "inspection", "installer": "registration"}.get(by) == what
    # The owner brings it, so that only the issuer decides.
    assert (attest(community, words(by, claim), "anna") is Outcome.BOOKED) == may
    assert (BATTERY in community.state.trusted.attested) == may


def behind(**other: str | int) -> Registration:
    told = {"gateway": "gw-anna", "register": 2, "asset_kind": "battery", "installed_on": "2026-05-01"} | other
    return Registration(id=asset_urn(NAME, BATTERY), **told)


@pytest.mark.row("X12")
def test_an_installer_attests_what_is_registered_and_nothing_else() -> None:
    community = staffed()
    for wrong in ({"gateway": "gw-ben"}, {"register": 1}, {"asset_kind": "vehicle"}):
        assert attest(community, words("installer", behind(**wrong)), "installer") is Outcome.NOT_ALLOWED
    assert attest(community, words("installer", behind()), "installer") is Outcome.BOOKED
    assert community.state.trusted.attested[BATTERY].registration.issuer == key("installer").id


@pytest.mark.parametrize("by", ["anna", "engineer", "operator", "ben", "inspector", "planner", "gw-anna"])
def test_owner_issuer_and_operator_bring_a_credential_and_nobody_else(by: str) -> None:
    community = staffed()
    brought = attest(community, words("engineer", limits(max_import_w=1)), by)
    assert brought is (Outcome.BOOKED if by in ("anna", "engineer", "operator") else Outcome.NOT_ALLOWED)


def test_a_credential_is_about_the_asset_that_it_names() -> None:
    community = staffed()
    assert attest(community, words("engineer", limits("ben-battery", max_import_w=1)), "anna") is Outcome.NOT_ALLOWED
    foreign = limits(max_import_w=1)
    foreign = type(foreign)(id=asset_urn("other", BATTERY), max_import_w=1)
    assert attest(community, words("engineer", foreign), "anna") is Outcome.NOT_ALLOWED
    assert attest(community, words("engineer", limits("nothing")), "anna", "nothing") is Outcome.UNKNOWN_THING


def test_nobody_attests_what_is_their_own() -> None:
    community = staffed()
    community.register_key("anna the engineer", "engineer", "anna")
    assert qualify(community, "anna the engineer", "engineer") is Outcome.BOOKED
    for by in ("anna", "operator"):
        credential = words("anna the engineer", limits(max_import_w=1))
        assert attest(community, credential, by) is Outcome.NOT_ALLOWED


def test_a_credential_is_taken_within_its_dates_alone() -> None:
    community = staffed()
    early = words("engineer", limits(max_import_w=1), NOON + 1, NOON + 100)
    assert attest(community, early, "anna") is Outcome.NOT_ALLOWED
    late = words("engineer", limits(max_import_w=1), NOON - 100, NOON)
    assert attest(community, late, "anna") is Outcome.TOO_LATE
    community.now_s = NOON + 1
    assert attest(community, early, "anna") is Outcome.BOOKED


@pytest.mark.parametrize("credential", ["x", "a.b.c", "x" * 8000])
def test_what_is_no_credential_changes_nothing(credential: str) -> None:
    community = staffed()
    assert attest(community, credential, "anna") is Outcome.OVER_LIMIT
    assert not community.state.trusted.attested


def test_a_forged_signature_changes_nothing() -> None:
    community = staffed()
    told = Credential(
        issuer=key_urn(NAME, key("engineer").id), since_s=NOON - 1, until_s=NOON + 9, claim=limits(max_import_w=1)
    )
    assert attest(community, issue_credential(told, key("anna")), "anna") is Outcome.NOT_ALLOWED
    assert not community.state.trusted.attested


@pytest.mark.row("X12")
def test_a_professional_counts_while_the_operators_word_for_them_holds() -> None:
    community = Community(2)
    community.register_key("engineer", "engineer", "engineer")
    credential = words("engineer", limits(max_import_w=1_000))
    assert attest(community, credential, "anna") is Outcome.NOT_ALLOWED, "registered, not qualified"
    assert qualify(community, "engineer", "engineer", until_s=NOON + 100) is Outcome.BOOKED
    community.now_s = NOON + 100
    assert attest(community, credential, "anna") is Outcome.NOT_ALLOWED, "the licence has run out"
    assert qualify(community, "engineer", "engineer", since_s=NOON + 50) is Outcome.BOOKED
    assert attest(community, credential, "anna") is Outcome.BOOKED


def test_a_professional_whose_licence_is_revoked_attests_nothing_new_but_what_stands_stands() -> None:
    community = staffed()
    specify(community, max_import_w=1_000)
    name = community.state.trusted.professionals[key("engineer").id].qualification.name
    for by, outcome in (("engineer", Outcome.NOT_ALLOWED), ("operator", Outcome.BOOKED)):
        assert community.ask(by, Kind.ATTEST, Withdraw(credential=name)) is outcome
    assert community.ask("operator", Kind.ATTEST, Withdraw(credential=name)) is Outcome.ALREADY_THERE
    newer = words("engineer", limits(max_import_w=2_000), NOON - 1)
    assert attest(community, newer, "anna") is Outcome.NOT_ALLOWED
    assert community.state.assets[BATTERY].max_import_w == 1_000


def test_only_the_operator_qualifies_and_only_for_the_registered_role() -> None:
    community = Community(2)
    for role in PROFESSIONS:
        community.register_key(role, role, role)
    assert qualify(community, "engineer", "engineer", by="anna") is Outcome.NOT_ALLOWED
    assert qualify(community, "engineer", "inspector") is Outcome.NOT_ALLOWED
    assert qualify(community, "anna", "engineer") is Outcome.NOT_ALLOWED
    assert qualify(community, "stranger", "engineer") is Outcome.UNKNOWN_THING
    assert qualify(community, "engineer", "engineer", since_s=NOON + 1) is Outcome.NOT_ALLOWED
    assert qualify(community, "engineer", "engineer", p256="02" + "f" * 64) is Outcome.OVER_LIMIT
    assert not community.state.trusted.professionals


@pytest.mark.row("X12")
def test_a_professional_may_sign_with_a_p_256_key_that_the_operator_vouches_for() -> None:
    community = staffed()
    own = ec.derive_private_key(777, ec.SECP256R1())
    told = Credential(
        issuer=key_urn(NAME, key("engineer").id), since_s=NOON - 1, until_s=NOON + 9, claim=limits(max_import_w=1_000)
    )
    assert attest(community, issue_credential(told, own), "anna") is Outcome.NOT_ALLOWED
    public = own.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex()
    assert qualify(community, "engineer", "engineer", since_s=NOON - 1, p256=public) is Outcome.BOOKED
    other = ec.derive_private_key(778, ec.SECP256R1())
    assert attest(community, issue_credential(told, other), "anna") is Outcome.NOT_ALLOWED
    assert attest(community, issue_credential(told, own), "anna") is Outcome.BOOKED


def test_only_the_operator_says_whom_the_law_lets_inspect() -> None:
    community = staffed()
    assert authorise(community, "inspector", NOON + 9, by="anna") is Outcome.NOT_ALLOWED
    assert authorise(community, "engineer", NOON + 9) is Outcome.NOT_ALLOWED
    assert authorise(community, "stranger", NOON + 9) is Outcome.UNKNOWN_THING
    assert authorise(community, "inspector", NOON + 9, "nothing") is Outcome.UNKNOWN_THING
    assert authorise(community, "inspector", NOON + 9) is Outcome.BOOKED
    assert community.state.trusted.inspectors == {BATTERY: {key("inspector").id: NOON + 9}}
    assert authorise(community, "inspector", NOON) is Outcome.BOOKED
    assert community.state.trusted.inspectors == {}
