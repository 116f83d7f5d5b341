"""What engineers, inspectors and installers sign narrows and suspends assets, and nothing widens them again."""

from dataclasses import replace
from pathlib import Path

import pytest
from community import CAPACITY_WH, LIMIT_W, NAME, NOON, Community, Flow, instruction, key
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from professionals import (
    BATTERY,
    PROFESSIONS,
    YEAR_S,
    attest,
    authorise,
    inspected,
    limits,
    qualify,
    revoke,
    staffed,
    words,
)

from commonwatt.apps.wiring import Scene, paper_day, scene
from commonwatt.flexibility.dispatch import command
from commonwatt.flows.outlook import outlook
from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.attesting import narrowed
from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.trust_bodies import Withdraw
from commonwatt.flows.rulebook.trusted import Attestation, Attested
from commonwatt.flows.sequence import replay
from commonwatt.identity.credentials import Credential, Registration, asset_urn, issue_credential, key_urn
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Band,
    GatewayId,
    InvalidValue,
    Kind,
    Outcome,
    Side,
    epoch,
)


def specify(community: Community, since_s: int = NOON - 10, **told: int) -> str:
    credential = words("engineer", limits(**told), since_s)
    assert attest(community, credential, "engineer") is Outcome.BOOKED
    return credential


def inspect(community: Community, result: str, since_s: int = NOON - 10) -> str:
    credential = words("inspector", inspected(result), since_s)  # type: ignore[arg-type]  # pass or fail
    assert attest(community, credential, "inspector") is Outcome.BOOKED
    return credential


def plan(community: Community, power_w: int = 1000) -> Outcome:
    return community.schedule(BATTERY, instruction(power_w))


@pytest.mark.row("M6")
def test_a_specification_narrows_schedules_and_commands() -> None:
    community = staffed()
    assert plan(community, 4_000) is Outcome.BOOKED
    specify(community, max_import_w=3_000, max_export_w=2_000)
    assert plan(community, 3_001) is Outcome.OVER_LIMIT
    assert plan(community, -2_001) is Outcome.OVER_LIMIT
    assert plan(community, 3_000) is Outcome.BOOKED
    assert plan(community, -2_000) is Outcome.BOOKED
    asset = community.state.assets[BATTERY]
    assert (asset.max_import_w, asset.max_export_w, asset.capacity_wh) == (3_000, 2_000, CAPACITY_WH)


@pytest.mark.row("M6")
def test_a_schedule_from_before_the_specification_is_told_within_it() -> None:
    community = staffed()
    assert plan(community, 4_000) is Outcome.BOOKED
    specify(community, max_import_w=3_000)
    (entry,) = community.state.schedules[BATTERY].instructions
    assert command(community.state.assets[BATTERY], entry).band == Band(lo_w=3_000, hi_w=3_000)


@pytest.mark.row("M6")
@pytest.mark.parametrize(
    ("told", "reading"),
    [
        ({"max_import_w": 1_000}, (252, 0, 200)),
        ({"max_export_w": 1_000}, (0, 252, 0)),
        ({"capacity_wh": 500}, (560, 0, 501)),
        ({"charge_permille": 500}, (800, 0, 402)),
    ],
)
def test_readings_above_a_specification_are_set_aside(told: dict[str, int], reading: tuple[int, int, int]) -> None:
    for narrow, expected in ((True, Outcome.SET_ASIDE), (False, Outcome.BOOKED)):
        community = staffed()
        community.live()
        if narrow:
            specify(community, **told)
        community.now_s += SLOT_SECONDS
        slot_s = community.now_s - SLOT_SECONDS
        assert community.report("gw-anna", slot_s, {BATTERY: reading}) is expected
        assert (BATTERY in community.state.readings.told(slot_s)) != narrow


@pytest.mark.row("M6")
def test_arrays_of_readings_see_the_narrower_limit_at_once() -> None:
    community = staffed(1)
    before = columns(community.state)
    credential = words("engineer", limits("anna-solar", max_export_w=400))
    assert attest(community, credential, "anna", "anna-solar") is Outcome.BOOKED
    place = community.state.readings.number("anna-solar")
    assert columns(community.state).meters.most_export_wh[place] == 101 < before.meters.most_export_wh[place]


def test_a_connection_narrowed_carries_no_larger_order() -> None:
    community = staffed()
    bid = bodies.OrderBody(side=Side.BID, energy_wh=300, price_micro_per_kwh=1, slot_s=NOON + SLOT_SECONDS)
    credential = words("engineer", limits("anna-home", max_import_w=1_000))
    assert attest(community, credential, "engineer", "anna-home") is Outcome.BOOKED
    assert community.ask("anna", Kind.ORDER, bid) is Outcome.OVER_LIMIT
    assert community.ask("ben", Kind.ORDER, bid) is Outcome.BOOKED


def test_a_specification_never_widens_what_was_claimed() -> None:
    community = staffed()
    claimed = community.state.assets[BATTERY]
    specify(community, max_import_w=10 * LIMIT_W, capacity_wh=10**9, charge_permille=1000)
    assert community.state.assets[BATTERY] == claimed


def test_a_newer_specification_stands_in_place_of_the_old_and_an_older_never_comes_back() -> None:
    community = staffed()
    old = words("engineer", limits(max_import_w=9_000), NOON - 50)
    assert attest(community, old, "anna") is Outcome.BOOKED
    specify(community, NOON - 40, max_import_w=3_000)
    assert attest(community, old, "anna") is Outcome.TOO_LATE
    same_second = words("engineer", limits(max_import_w=8_000), NOON - 40)
    assert attest(community, same_second, "anna") is Outcome.TOO_LATE
    assert community.state.assets[BATTERY].max_import_w == 3_000
    newer = specify(community, NOON - 30, max_import_w=5_000)
    assert community.state.assets[BATTERY].max_import_w == 5_000
    assert attest(community, newer, "anna") is Outcome.ALREADY_THERE


def test_a_revoked_specification_keeps_its_limits_and_suspends_until_a_newer_one() -> None:
    community = staffed()
    credential = specify(community, max_import_w=3_000)
    assert revoke(community, credential, "engineer") is Outcome.BOOKED
    assert community.state.assets[BATTERY].max_import_w == 3_000
    assert plan(community) is Outcome.NOT_ALLOWED
    assert attest(community, credential, "anna") is Outcome.ALREADY_THERE
    assert plan(community) is Outcome.NOT_ALLOWED
    specify(community, NOON - 5, max_import_w=4_000)
    assert plan(community, 3_500) is Outcome.BOOKED


@pytest.mark.row("X12")
def test_a_failed_inspection_suspends_whatever_the_owner_agrees_to_until_a_newer_one_passes() -> None:
    community = staffed()
    inspect(community, "fail", NOON - 10)
    assert plan(community) is Outcome.NOT_ALLOWED
    assert community.agree("anna", BATTERY) is Outcome.BOOKED
    assert plan(community) is Outcome.NOT_ALLOWED
    older = words("inspector", inspected("pass"), NOON - 20)
    assert attest(community, older, "anna") is Outcome.TOO_LATE, "a pass from before the fail mends nothing"
    inspect(community, "pass", NOON - 5)
    assert plan(community) is Outcome.BOOKED


@pytest.mark.row("X12")
@pytest.mark.parametrize("result", ["pass", "fail"])
@pytest.mark.parametrize("by", ["inspector", "operator"])
def test_a_revoked_inspection_suspends_until_a_newer_one_passes(result: str, by: str) -> None:
    community = staffed()
    credential = inspect(community, result)
    assert revoke(community, credential, by) is Outcome.BOOKED
    assert plan(community) is Outcome.NOT_ALLOWED
    assert revoke(community, credential, by) is Outcome.ALREADY_THERE
    inspect(community, "pass", NOON - 5)
    assert plan(community) is Outcome.BOOKED


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


def test_one_asset_suspended_leaves_the_others_alone() -> None:
    community = staffed()
    inspect(community, "fail")
    assert community.schedule("ben-battery", instruction(1000)) is Outcome.BOOKED


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


def test_limits_outlive_their_dates_since_time_alone_widens_nothing() -> None:
    community = staffed()
    short = words("engineer", limits(max_import_w=1_000), NOON - 10, NOON + 100)
    assert attest(community, short, "anna") is Outcome.BOOKED
    community.now_s = NOON + 200
    assert plan(community, 1_001) is Outcome.OVER_LIMIT
    assert plan(community, 1_000) is Outcome.BOOKED


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


def test_limits_that_contradict_the_thing_are_refused() -> None:
    community = staffed()
    community.register_gateway("gw-more")
    car = {"gateway": "gw-more", "capacity_wh": 50_000, "min_import_w": 1_400}
    assert community.claim("anna", "car", AssetKind.VEHICLE, **car) is Outcome.BOOKED
    for asset, told in (("car", {"max_import_w": 1_399}), ("anna-solar", {"capacity_wh": 5})):
        credential = words("engineer", limits(asset, **told))
        assert attest(community, credential, "anna", asset) is Outcome.OVER_LIMIT
        assert asset not in community.state.trusted.attested


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


def test_attestations_are_in_the_state_root_and_survive_snapshot_and_replay() -> None:
    community = staffed()
    roots = {community.state.root()}
    specify(community, max_import_w=3_000, min_decicelsius=-100)
    roots.add(community.state.root())
    credential = inspect(community, "pass")
    roots.add(community.state.root())
    revoke(community, credential, "operator")
    roots.add(community.state.root())
    authorise(community, "inspector", NOON + YEAR_S)
    roots.add(community.state.root())
    assert len(roots) == 5
    content = snapshot.dump(community.state, community.now_s, community.sequencer.tree.root())
    restored, _ = snapshot.load(content)
    assert (restored.trusted, restored.assets) == (community.state.trusted, community.state.assets)
    assert replay(community.rows(), NAME).state.root() == community.state.root()


def test_a_settled_day_goes_on_under_narrower_limits() -> None:
    community = staffed()
    community.live(anna=Flow(load_wh=200, solar_wh=1_200, charge_wh=1_000))
    minted_wh = community.watt("anna")
    assert minted_wh > 0
    specify(community, max_import_w=2_000, discharge_permille=800)
    for _ in range(3):
        community.live(anna=Flow(load_wh=300, discharge_wh=100))
    assert replay(community.rows(), NAME).state.root() == community.state.root()
    assert community.watt("anna") <= community.state.assets[BATTERY].recoverable_wh(community.levels_wh["anna"])


@given(
    st.dictionaries(
        st.sampled_from(["max_import_w", "max_export_w", "capacity_wh", "charge_permille", "discharge_permille"]),
        st.integers(1, 1000) | st.integers(1, 10**9),
    )
)
@settings(max_examples=200)
def test_of_each_limit_the_smaller_holds(told: dict[str, int]) -> None:
    told = {name: min(v, 1000) if name.endswith("permille") else v for name, v in told.items()}
    asset = thing(capacity_wh=CAPACITY_WH)
    found = narrowed(asset, limits(**told))
    for name in ("max_import_w", "max_export_w", "capacity_wh", "charge_permille", "discharge_permille"):
        assert getattr(found, name) == min(getattr(asset, name), told.get(name, 10**9))
    assert (found.owner, found.min_import_w) == (asset.owner, asset.min_import_w)
    with pytest.raises(InvalidValue, match="only what stores"):
        narrowed(thing(capacity_wh=0), limits(capacity_wh=1))


def thing(capacity_wh: int) -> Asset:
    return Asset(
        id=AssetId(BATTERY),
        owner=AccountId("anna"),
        gateway=GatewayId("gw-anna"),
        kind=AssetKind.BATTERY,
        zone="lane",
        max_import_w=LIMIT_W,
        max_export_w=LIMIT_W,
        capacity_wh=capacity_wh,
    )


@pytest.mark.row("X12")
def test_a_suspended_asset_is_told_nothing_and_not_planned_for() -> None:
    told = scene(Path(__file__).parents[2] / "examples" / "street")
    day = paper_day(Scene(replace(told.street, starts="11:00"), told.recorded))
    for _ in zip(range(2), day.run(), strict=False):
        pass
    state = day.sequencer.state
    slot_s = max(epoch(schedule.issued) for schedule in state.schedules.values())
    commanded = set(day.commands(slot_s))
    asset = min(commanded)
    word = Attestation(name="0" * 64, issuer=day.cast.operator.id, position=0, since_s=0, until_s=1)
    state.trusted.attested[asset] = Attested(claimed=state.assets[asset], inspection=word, passed=False)
    assert set(day.commands(slot_s)) == commanded - {asset}
    stored = {item.asset.id for item in outlook(state, day.terms, slot_s + SLOT_SECONDS).stored}
    assert asset not in stored
    assert stored
    del state.trusted.attested[asset]
    assert {item.asset.id for item in outlook(state, day.terms, slot_s + SLOT_SECONDS).stored} == stored | {asset}
