"""Who is who, who may say what, and which facts count."""

from itertools import product

import numpy as np
import pytest
from community import LIMIT_W, NOON, PREPAID, Community, battery, instruction, key

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.charging import session_bodies
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.market.auctions import auction_bodies
from commonwatt.flows.rulebook.market.contracts import contract_bodies
from commonwatt.flows.rulebook.market.interchange import interchange_bodies
from commonwatt.flows.rulebook.state import SECTIONS
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.market.order_batch import ORDER_DTYPE
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import (
    ALWAYS,
    SLOT_SECONDS,
    AssetKind,
    Band,
    Commodity,
    ConsentMode,
    Kind,
    Outcome,
    Priority,
    Side,
)

OWN_KINDS = {
    "operator": {Kind.REGISTER, Kind.CHECKPOINT, Kind.ATTEST, Kind.PAYOUT, Kind.INTERCHANGE, Kind.CONTRACT},
    "anna": {
        Kind.REGISTER,
        Kind.CONSTRAINT,
        Kind.ORDER,
        Kind.ORDER_BATCH,
        Kind.CANCEL,
        Kind.CONSENT,
        Kind.DELEGATE,
        Kind.TRANSFER,
        Kind.PAYOUT,
        Kind.AUCTION,
        Kind.CONTRACT,
        Kind.SESSION,
    },
    "dso": {Kind.REGISTER, Kind.CONSTRAINT},
    "gw-anna": {Kind.READING_BATCH, Kind.ACK, Kind.SESSION},
    "oracle": {Kind.FACT},
    "planner": {Kind.SCHEDULE},
    "payment": {Kind.PURCHASE},
}
ITEMS = encode_items([Item(start_s=NOON, register=0, import_wh=1, export_wh=0)])
ORDERS = np.array([(NOON + 2 * SLOT_SECONDS, 100, 200_000, 0, 0, 0, 0)], ORDER_DTYPE).tobytes()
TOMORROW = "at 07:30 on 2 June 2026"


def try_it(community: Community, who: str, kind: Kind, account: str | None = None) -> Outcome:
    """Ask for something that nothing is wrong with but perhaps its author."""
    items = {Kind.READING_BATCH: ITEMS, Kind.ORDER_BATCH: ORDERS}.get(kind, b"")
    return community.send(community.wire(who, kind, sample(community, kind), account=account, items=items))


def sample(community: Community, kind: Kind) -> object:
    """Return a body that nothing is wrong with but perhaps its author."""
    checkpoint = community.sequencer.checkpoint(community.slot_s)
    return {
        Kind.REGISTER: bodies.RegisterGateway(gateway="gw-new", public=key("gw-new").public.hex(), alg="secp256k1"),
        Kind.CONSTRAINT: bodies.ConstraintBody(text=f"charge of anna-battery >= 80% {TOMORROW}", said_s=NOON),
        Kind.READING_BATCH: bodies.batch_head("gw-anna", ITEMS),
        Kind.ORDER: order_bodies.WattOrder(side=Side.BID, energy_wh=1, price_micro_per_kwh=1),
        Kind.ORDER_BATCH: bodies.orders_head(ORDERS),
        Kind.CANCEL: order_bodies.CancelBody(order="7"),
        Kind.FACT: bodies.FactBody(start_s=NOON + 200 * SLOT_SECONDS, prices=[(2, 1)]),
        Kind.SCHEDULE: bodies.ScheduleBody(asset="anna-battery", issued_s=NOON, instructions=[instruction(100)]),
        Kind.CONSENT: bodies.ConsentBody(asset="anna-battery", mode=ConsentMode.ALWAYS),
        Kind.ACK: bodies.AckBody(
            gateway="gw-anna", slot_s=NOON, acks=[bodies.AckItem(command="c", asset="anna-battery", why="no")]
        ),
        Kind.PURCHASE: bodies.PurchaseBody(account="anna", amount_micro=1, reference="r"),
        Kind.DELEGATE: trust_bodies.Grant(to=key("a friend").public.hex(), kinds=("consent",), until_s=NOON + 86_400),
        Kind.TRANSFER: wallet_bodies.Give(target="nobody", commodity=Commodity.ERGON, amount=1),
        Kind.PAYOUT: wallet_bodies.PayoutRequest(amount_micro=10_000),
        Kind.CONTRACT: contract_bodies.Dispute(contract="7", window_s=NOON, reason="r"),
        Kind.SESSION: session_bodies.Stop(session="0"),
        Kind.ATTEST: trust_bodies.Archived(day="2026-05-31", manifest="0" * 64),
        Kind.INTERCHANGE: interchange_bodies.Refuse(community="north", number=1),
        Kind.AUCTION: auction_bodies.Offer(auction="7", amount=1, price_micro_per_kwh=1),
        Kind.CHECKPOINT: bodies.CheckpointBody(note=checkpoint.note_text() + "\nunsigned"),
    }[kind]


@pytest.mark.parametrize(("who", "kind"), list(product(OWN_KINDS, bodies.KINDS)))
def test_a_role_may_ask_for_its_own_kinds_and_no_other(who: str, kind: Kind) -> None:
    community = Community(1)
    community.now_s += SLOT_SECONDS
    leaves, sections = community.roots().leaves, community.state.sections()
    outcome = try_it(community, who, kind)
    allowed = kind in OWN_KINDS[who]
    if kind is Kind.REGISTER and who != "operator":
        allowed = False  # they may claim assets, but keys and gateways are the operator's to register
    if (who, kind) == ("dso", Kind.CONSTRAINT):
        allowed = False  # it may speak of zones, but this one is about somebody's battery
    if not allowed:
        assert outcome is Outcome.NOT_ALLOWED
        assert community.roots().leaves == leaves + 1
        # One section holds the numbers that keys have used; nothing else may differ.
        after = community.state.sections()
        assert [name for name, old, new in zip(SECTIONS, sections, after, strict=True) if old != new] == ["numbers"]
    else:
        assert outcome in (Outcome.BOOKED, Outcome.UNKNOWN_THING, Outcome.NOT_BACKED), (
            "an own kind is at least looked at"
        )


@pytest.mark.parametrize("who", [who for who in OWN_KINDS if who != "operator"])
def test_nobody_speaks_for_another_account(who: str) -> None:
    community = Community(2)
    community.now_s += SLOT_SECONDS
    for kind in sorted(OWN_KINDS[who]):
        assert try_it(community, who, kind, account="ben") is Outcome.NOT_ALLOWED


@pytest.mark.row("H1")
def test_only_a_registered_gateway_reports_and_only_for_itself() -> None:
    community = Community(2)
    community.now_s += SLOT_SECONDS
    told = {"anna-home": (500, 0)}
    before = community.roots()
    assert community.report("gw-anna", NOON, told, by="gw-forged") is Outcome.UNKNOWN_KEY
    assert community.roots() == before, "what an unknown key says is not even logged"
    assert community.report("gw-anna", NOON, told, by="gw-ben") is Outcome.NOT_ALLOWED
    assert community.report("gw-anna", NOON, told, by="anna") is Outcome.NOT_ALLOWED
    assert community.report("gw-anna", NOON, told, by="operator") is Outcome.NOT_ALLOWED
    assert len(community.state.readings) == 0
    assert community.report("gw-anna", NOON, told) is Outcome.BOOKED
    assert community.state.readings[NOON]["anna-home"].import_wh == 500


@pytest.mark.row("H1")
def test_a_gateway_is_claimed_with_its_number_by_one_member_alone() -> None:
    community = Community(2)
    assert community.claim("anna", "spare", AssetKind.BATTERY, gateway="gw-nowhere") is Outcome.UNKNOWN_THING
    assert community.register_gateway("gw-spare") is Outcome.BOOKED
    assert community.claim("ben", "spare", AssetKind.SOLAR, gateway="gw-spare") is Outcome.BOOKED
    assert community.claim("anna", "late", AssetKind.SOLAR, gateway="gw-spare") is Outcome.NOT_ALLOWED
    assert community.claim("anna", "shed", AssetKind.SOLAR, gateway="gw-ben") is Outcome.NOT_ALLOWED
    assert community.claim("ben", "barn", AssetKind.SOLAR, gateway="gw-spare") is Outcome.BOOKED
    assert {asset.owner for asset in community.state.assets.values() if asset.gateway == "gw-spare"} == {"ben"}


def test_an_asset_is_claimed_once_and_a_member_has_one_connection() -> None:
    community = Community(2)
    assert community.claim("anna", "anna-solar", AssetKind.SOLAR) is Outcome.ALREADY_THERE
    assert community.claim("anna", "ben-solar", AssetKind.SOLAR) is Outcome.ALREADY_THERE
    assert community.claim("anna", "second-home", AssetKind.CONNECTION) is Outcome.ALREADY_THERE
    assert community.state.assets["ben-solar"].owner == "ben"


def test_the_feeder_is_the_grids_and_nothing_else_is() -> None:
    community = Community(1)
    community.register_gateway("gw-free")
    assert community.claim("anna", "own-feeder", AssetKind.FEEDER, gateway="gw-free") is Outcome.NOT_ALLOWED
    assert community.claim("dso", "big-battery", AssetKind.BATTERY, gateway="gw-free") is Outcome.NOT_ALLOWED
    assert community.claim("operator", "mine", AssetKind.SOLAR, gateway="gw-free") is Outcome.NOT_ALLOWED


@pytest.mark.row("M6")
def test_an_asset_with_impossible_limits_is_not_registered() -> None:
    community = Community(1)
    outcome = community.claim("anna", "car", AssetKind.VEHICLE, capacity_wh=50_000, min_import_w=LIMIT_W + 1)
    assert outcome is Outcome.OVER_LIMIT
    assert "car" not in community.state.assets


@pytest.mark.row("M6")
@pytest.mark.parametrize("kind", AssetKind)
def test_what_stores_has_a_capacity_and_nothing_else_has(kind: AssetKind) -> None:
    community = Community(1)
    community.register_gateway("gw-more")
    # A member who has nothing yet, or the grid: neither is refused for another reason.
    community.register_key("ben", "member", "ben")
    who = "dso" if kind is AssetKind.FEEDER else "ben"
    stores = kind in (AssetKind.BATTERY, AssetKind.VEHICLE)
    right, wrong = (7_000, 0) if stores else (0, 7_000)
    assert community.claim(who, "thing", kind, gateway="gw-more", capacity_wh=wrong) is Outcome.OVER_LIMIT
    assert "thing" not in community.state.assets
    if kind is AssetKind.FEEDER:  # the grid has its meter already
        assert community.claim(who, "thing", kind, gateway="gw-more") is Outcome.ALREADY_THERE
    else:
        assert community.claim(who, "thing", kind, gateway="gw-more", capacity_wh=right) is Outcome.BOOKED
        assert community.state.assets["thing"].stores == stores


def test_keys_and_gateways_are_registered_once_and_by_the_operator() -> None:
    community = Community(1)
    assert community.register_key("dora", "member", "dora", by="anna") is Outcome.NOT_ALLOWED
    assert community.register_gateway("gw-dora", by="anna") is Outcome.NOT_ALLOWED
    assert community.register_key("dora", "member", "dora") is Outcome.BOOKED
    assert community.register_key("dora", "member", "dora-again") is Outcome.ALREADY_THERE
    assert community.register_key("anna", "planner", "planner") is Outcome.ALREADY_THERE
    assert community.register_gateway("gw-anna") is Outcome.ALREADY_THERE
    reused = bodies.RegisterGateway(gateway="gw-other", public=key("gw-anna").public.hex(), alg="secp256k1")
    assert community.ask("operator", Kind.REGISTER, reused) is Outcome.ALREADY_THERE
    taken = bodies.RegisterGateway(gateway="gw-anna", public=key("gw-thief").public.hex(), alg="secp256k1")
    assert community.ask("operator", Kind.REGISTER, taken) is Outcome.ALREADY_THERE
    assert community.state.gateways["gw-anna"].key == key("gw-anna").id
    assert community.state.keys[key("anna").id].role == "member"


@pytest.mark.parametrize("account", ["grid", "losses", "payment-port", "mint", "burn"])
def test_no_key_is_given_the_accounts_of_the_system(account: str) -> None:
    community = Community(1)
    assert community.register_key("thief", "planner", account) is Outcome.NOT_ALLOWED
    assert community.register_key("thief", "payment", account) is Outcome.NOT_ALLOWED
    assert community.register_key("thief", "member", account) is Outcome.NOT_ALLOWED
    if account != "grid":
        assert community.register_key("thief", "dso", account) is Outcome.NOT_ALLOWED
    assert key("thief").id not in community.state.keys


def test_the_grid_operators_voice_is_the_grids_account_and_no_other() -> None:
    community = Community(1)
    for account in ("utility", "anna", "operator"):
        assert community.register_key("other-dso", "dso", account) is Outcome.NOT_ALLOWED
    assert key("other-dso").id not in community.state.keys
    assert community.register_key("other-dso", "dso", "grid") is Outcome.BOOKED
    assert community.state.members() == ["anna"]


def test_a_public_key_that_is_no_point_of_the_curve_is_not_registered() -> None:
    community = Community(1)
    nonsense = bodies.RegisterKey(public="02" + "ff" * 32, alg="secp256k1", role="member", account="eve")
    assert community.ask("operator", Kind.REGISTER, nonsense) is Outcome.NOT_ALLOWED


def test_a_community_is_founded_once() -> None:
    community = Community(1)
    again = bodies.RegisterCommunity(
        public=key("operator").public.hex(),
        timezone="Europe/Paris",
        b_max_wh=1,
        grace_slots=0,
        gate_s=0,
        correction_slots=1,
    )
    assert community.ask("operator", Kind.REGISTER, again) is Outcome.ALREADY_THERE
    assert (community.state.charter.timezone, community.state.charter.b_max_wh) == ("Europe/London", 5_000)


@pytest.mark.row("X1")
def test_owners_state_what_they_want_of_their_own_assets_only() -> None:
    community = Community(2)
    assert community.state_that("anna", f"charge of anna-battery >= 80% {TOMORROW}") is Outcome.BOOKED
    assert community.state_that("anna", f"charge of ben-battery >= 80% {TOMORROW}") is Outcome.NOT_ALLOWED
    both = "energy of anna-battery, ben-battery <= 2 kWh from 13:00 to 14:00 on 1 June 2026"
    assert community.state_that("anna", both) is Outcome.NOT_ALLOWED
    assert community.state_that("anna", f"charge of no-battery >= 80% {TOMORROW}") is Outcome.UNKNOWN_THING
    assert community.state_that("anna", f"charge of anna-battery is 80% {TOMORROW}") is Outcome.OVER_LIMIT
    assert [(stated.account, stated.constraint.value) for stated in community.state.stated] == [("anna", 80)]


@pytest.mark.row("X1")
@pytest.mark.parametrize("asset", ["anna-home", "anna-solar", "anna-battery, anna-solar"])
def test_nobody_wants_a_level_of_what_stores_nothing(asset: str) -> None:
    community = Community(1)
    assert community.state_that("anna", f"charge of {asset} >= 80% {TOMORROW}") is Outcome.OVER_LIMIT
    assert community.state_that("anna", f"battery of {asset} >= 1 kWh {TOMORROW}") is Outcome.OVER_LIMIT
    assert community.state.stated == []
    window = "from 13:00 to 14:00 on 1 June 2026"
    assert community.state_that("anna", f"energy of {asset} <= 1 kWh {window}") is Outcome.BOOKED
    assert community.state_that("anna", f"charge of anna-battery >= 80% {TOMORROW}") is Outcome.BOOKED


@pytest.mark.row("X1")
@pytest.mark.parametrize(
    ("who", "statement"),
    [
        ("anna", f"battery of anna-battery >= {{}} Wh {TOMORROW}"),
        ("anna", "energy of anna-battery <= {} Wh from 13:00 to 14:00 on 1 June 2026"),
        ("anna", "power of anna-battery >= {} W from 13:00 to 14:00 on 1 June 2026"),
        ("dso", "power of zone lane <= {} W from 13:00 to 14:00 on 1 June 2026 for dso"),
    ],
)
def test_a_bound_beyond_all_reason_is_refused(who: str, statement: str) -> None:
    community = Community(1)
    for bound in (10**9 + 1, 10**12, "9" * 300):
        assert community.state_that(who, statement.format(bound)) is Outcome.OVER_LIMIT
    assert community.state.stated == []
    assert community.state_that(who, statement.format(10**9)) is Outcome.BOOKED
    assert community.state.stated[0].constraint.value == 10**9


@pytest.mark.row("X1")
@pytest.mark.parametrize("claimed", ["safety", "grid", "dso"])
def test_a_member_does_not_speak_with_the_grid_operators_voice(claimed: str) -> None:
    community = Community(1)
    line = f"charge of anna-battery >= 80% {TOMORROW}"
    assert community.state_that("anna", f"{line} for {claimed}") is Outcome.NOT_ALLOWED
    assert community.state_that("anna", f"{line} for owner") is Outcome.BOOKED
    assert community.state_that("anna", f"{line} for comfort") is Outcome.BOOKED


@pytest.mark.row("X14")
def test_the_grid_operator_limits_zones_and_no_ones_battery() -> None:
    community = Community(1)
    window = "from 13:00 to 14:00 on 1 June 2026"
    assert community.state_that("dso", f"power of zone lane <= 10 kW {window} for dso") is Outcome.BOOKED
    assert community.state_that("dso", f"power of zone moon <= 10 kW {window} for dso") is Outcome.UNKNOWN_THING
    assert community.state_that("dso", f"power of anna-battery <= 1 kW {window} for dso") is Outcome.NOT_ALLOWED
    assert community.state_that("dso", f"power of zone lane <= 10 kW {window} for safety") is Outcome.NOT_ALLOWED
    assert community.state_that("anna", f"power of zone lane <= 10 kW {window}") is Outcome.NOT_ALLOWED
    (stated,) = community.state.stated
    assert stated.constraint.priority is Priority.DSO


@pytest.mark.row("X3")
def test_without_its_owners_yes_no_schedule_comes_into_force() -> None:
    community = Community(1)
    community.claim("anna", "car", AssetKind.VEHICLE, capacity_wh=50_000)
    assert community.schedule("car", instruction(5_000)) is Outcome.NOT_ALLOWED
    assert community.agree("anna", "car") is Outcome.BOOKED
    assert community.schedule("car", instruction(5_000)) is Outcome.BOOKED
    assert community.state.schedules["car"].instructions[0].power_w == 5_000


@pytest.mark.row("X3")
def test_a_consent_withdrawn_wins_over_the_next_schedule() -> None:
    community = Community(1)
    assert community.schedule("anna-battery", instruction(1_000)) is Outcome.BOOKED
    assert community.agree("anna", "anna-battery", standing=False) is Outcome.BOOKED
    assert community.schedule("anna-battery", instruction(2_000)) is Outcome.NOT_ALLOWED
    assert community.state.schedules == {}
    assert community.agree("anna", "anna-battery") is Outcome.BOOKED
    assert community.state.schedules == {}, "a new yes brings back no old plan"
    assert community.schedule("anna-battery", instruction(2_000)) is Outcome.BOOKED


@pytest.mark.row("X3")
def test_only_the_owner_says_yes_or_no_for_an_asset() -> None:
    community = Community(2)
    assert community.agree("ben", "anna-battery", standing=False) is Outcome.NOT_ALLOWED
    assert community.agree("ben", "no-battery") is Outcome.UNKNOWN_THING
    assert community.state.consent(battery("anna")) == ALWAYS


@pytest.mark.row("M6")
def test_a_schedule_above_the_registered_limits_is_refused() -> None:
    community = Community(1)
    assert community.schedule("anna-battery", instruction(LIMIT_W + 1)) is Outcome.OVER_LIMIT
    assert community.schedule("anna-battery", instruction(-LIMIT_W - 1)) is Outcome.OVER_LIMIT
    assert community.schedule("anna-battery", instruction(100), instruction(LIMIT_W + 1)) is Outcome.OVER_LIMIT
    assert community.schedule("anna-battery", instruction(100, NOON, NOON)) is Outcome.OVER_LIMIT
    assert community.schedule("no-battery", instruction(100)) is Outcome.UNKNOWN_THING
    assert community.state.schedules == {}
    assert community.schedule("anna-battery", instruction(LIMIT_W)) is Outcome.BOOKED
    assert community.schedule("anna-battery", instruction(-LIMIT_W)) is Outcome.BOOKED


@pytest.mark.row("E13")
def test_a_price_that_was_told_never_changes() -> None:
    community = Community(1)
    end_s = NOON + 96 * SLOT_SECONDS
    assert community.tell_prices(NOON, [(1, 0)]) is Outcome.ALREADY_THERE
    assert community.tell_prices(end_s - SLOT_SECONDS, [(1, 0), (1, 0)]) is Outcome.ALREADY_THERE
    assert end_s not in community.state.prices, "all of a fact counts or nothing"
    assert community.tell_prices(end_s + 1, [(1, 0)]) is Outcome.OVER_LIMIT
    assert community.tell_prices(end_s, [(7, -3)]) is Outcome.BOOKED
    assert community.state.prices[end_s] == (7, -3)


@pytest.mark.row("H2")
def test_one_payment_counts_once() -> None:
    community = Community(2)
    assert community.pay("anna", 100, "bank-1") is Outcome.BOOKED
    assert community.pay("anna", 100, "bank-1") is Outcome.ALREADY_THERE
    assert community.pay("ben", 900, "bank-1") is Outcome.NOT_ALLOWED, "the same reference for something else"
    assert community.pay("anna", 900, "bank-1") is Outcome.NOT_ALLOWED
    assert community.pay("nobody", 100, "bank-2") is Outcome.UNKNOWN_THING
    assert community.pay("grid", 100, "bank-2") is Outcome.UNKNOWN_THING
    assert community.pay("anna", 100, "bank-2") is Outcome.BOOKED
    assert (community.ergon("anna"), community.ergon("ben")) == (PREPAID + 200, PREPAID)
    assert community.ergon("payment-port") == -(2 * PREPAID + 200)


def test_no_more_is_paid_in_than_the_books_can_count() -> None:
    community = Community(1, prepaid_micro=0)
    paid = [community.pay("anna", 10**12, f"bank-{n}") for n in range(1_001)]
    assert paid == [Outcome.BOOKED] * 1_000 + [Outcome.OVER_LIMIT]


@pytest.mark.row("X6")
def test_a_gateway_answers_for_its_own_assets_only() -> None:
    community = Community(2)

    def answer(asset: str, number: str = "gw-anna", **band: int) -> Outcome:
        item = bodies.AckItem(command="c", asset=asset, **band)
        return community.ask("gw-anna", Kind.ACK, bodies.AckBody(gateway=number, slot_s=NOON, acks=[item]))

    assert answer("ben-battery", lo_w=0, hi_w=0) is Outcome.NOT_ALLOWED
    assert answer("anna-battery", number="gw-ben", lo_w=0, hi_w=0) is Outcome.NOT_ALLOWED
    assert answer("no-battery", lo_w=0, hi_w=0) is Outcome.UNKNOWN_THING
    assert answer("anna-battery", lo_w=1, hi_w=0) is Outcome.OVER_LIMIT
    assert community.state.answers == {}
    assert answer("anna-battery", lo_w=-5, hi_w=9) is Outcome.BOOKED
    assert community.state.answers[battery("anna")].ack.taken == Band(lo_w=-5, hi_w=9)
