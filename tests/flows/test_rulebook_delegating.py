"""An owner lets another key do named things, until a date, and takes it back at once."""

from itertools import product

import pytest
from community import NOON, Community, battery, instruction, key
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.charging import session_bodies
from commonwatt.flows.rulebook.identity.delegating import DELEGABLE, INSPECT, MOST_DELEGATES
from commonwatt.flows.rulebook.identity.trust_bodies import Grant, Revoke, Withdraw
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.market.auctions import auction_bodies
from commonwatt.flows.rulebook.market.contracts import contract_bodies
from commonwatt.flows.rulebook.market.interchange import interchange_bodies
from commonwatt.flows.rulebook.state import SECTIONS
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.sequence import replay
from commonwatt.model import ALWAYS, AssetKind, Commodity, ConsentMode, Kind, Outcome, Priority, Side

HOUR = 3600
WHO = ("agent", "installer", "auditor", "aggregator", "engineer", "inspector")
ORDER = order_bodies.WattOrder(side=Side.BID, energy_wh=100, price_micro_per_kwh=200_000)
YES = bodies.ConsentBody(asset="anna-battery", mode=ConsentMode.ALWAYS)
WISH = "charge of anna-battery >= 80% at 07:30 on 2 June 2026"


def street(homes: int = 2) -> Community:
    community = Community(homes)
    for role in WHO:
        assert community.register_key(role, role, role) is Outcome.BOOKED
    return community


def grant(to: str, *kinds: str, until_s: int = NOON + HOUR, assets: tuple[str, ...] | None = None) -> Grant:
    return Grant(to=key(to).public.hex(), kinds=kinds, until_s=until_s, assets=assets)


def let(community: Community, to: str, *kinds: str, by: str = "anna", **more: object) -> Outcome:
    return community.ask(by, Kind.DELEGATE, grant(to, *kinds, **more))  # type: ignore[arg-type]  # passed on as it is


def as_anna(community: Community, who: str, kind: Kind, body: Struct) -> Outcome:
    return community.ask(who, kind, body, account="anna")


def test_a_delegate_orders_for_the_owner_and_the_log_shows_who_signed() -> None:
    community = street()
    assert as_anna(community, "agent", Kind.ORDER, ORDER) is Outcome.NOT_ALLOWED
    assert let(community, "agent", "order") is Outcome.BOOKED
    assert as_anna(community, "agent", Kind.ORDER, ORDER) is Outcome.BOOKED
    row = community.rows()[-1]
    assert (row.author, row.owner) == (key("agent").id, "anna")
    assert [order.owner for order in community.state.book.orders()] == ["anna"]


@pytest.mark.parametrize("kind", sorted(set(bodies.KINDS) - {Kind.CHECKPOINT, Kind.READING_BATCH, Kind.ORDER_BATCH}))
def test_a_delegate_may_do_what_is_named_and_nothing_else(kind: Kind) -> None:
    """Checkpoints and batches have more than a body; who may send them is told by their own tests."""
    allowed = {"order", "consent"}
    community = street()
    assert let(community, "agent", *allowed) is Outcome.BOOKED
    sections = community.state.sections()
    outcome = as_anna(community, "agent", kind, sample(kind))
    if kind.value in allowed:
        assert outcome is Outcome.BOOKED
    else:
        assert outcome is Outcome.NOT_ALLOWED
        after = community.state.sections()
        assert [name for name, old, new in zip(SECTIONS, sections, after, strict=True) if old != new] == ["numbers"]


def sample(kind: Kind) -> Struct:
    return {
        Kind.REGISTER: bodies.RegisterKey(public=key("new").public.hex(), alg="secp256k1", role="member", account="n"),
        Kind.CONSTRAINT: bodies.ConstraintBody(text=WISH, said_s=NOON),
        Kind.DELEGATE: grant("installer", "order"),
        Kind.ATTEST: Withdraw(credential="0" * 64),
        Kind.ORDER: ORDER,
        Kind.CANCEL: order_bodies.CancelBody(order="7"),
        Kind.FACT: bodies.FactBody(start_s=NOON, prices=[(2, 1)]),
        Kind.SCHEDULE: bodies.ScheduleBody(asset="anna-battery", issued_s=NOON, instructions=[instruction(100)]),
        Kind.CONSENT: YES,
        Kind.ACK: bodies.AckBody(gateway="gw-anna", slot_s=NOON, acks=[bodies.AckItem(command="c", asset="a")]),
        Kind.PURCHASE: wallet_bodies.TopUpWish(),
        Kind.PAYOUT: wallet_bodies.PayoutRequest(amount_micro=10_000),
        Kind.CONTRACT: contract_bodies.Dispute(contract="7", window_s=NOON, reason="r"),
        Kind.SESSION: session_bodies.Stop(session="0"),
        Kind.TRANSFER: wallet_bodies.Give(target="ben", commodity=Commodity.ERGON, amount=1),
        Kind.INTERCHANGE: interchange_bodies.Refuse(community="north", number=1),
        Kind.AUCTION: auction_bodies.TakeDown(auction="7"),
    }[kind]


@pytest.mark.parametrize("kind", sorted({*map(str, Kind), "everything"} - DELEGABLE))
def test_what_must_stay_with_the_owner_cannot_be_delegated(kind: str) -> None:
    community = street()
    assert let(community, "agent", "order", kind) is Outcome.OVER_LIMIT
    assert not community.state.trusted.delegations


def test_a_delegate_delegates_nothing_further_and_revokes_nothing() -> None:
    community = street()
    let(community, "agent", *sorted(DELEGABLE))
    assert as_anna(community, "agent", Kind.DELEGATE, grant("installer", "order")) is Outcome.NOT_ALLOWED
    assert as_anna(community, "agent", Kind.DELEGATE, Revoke(to=key("agent").public.hex())) is Outcome.NOT_ALLOWED
    assert as_anna(community, "installer", Kind.ORDER, ORDER) is Outcome.NOT_ALLOWED


def test_a_delegate_acts_for_its_owner_alone() -> None:
    community = street()
    let(community, "agent", "order", "transfer")
    assert community.ask("agent", Kind.ORDER, ORDER, account="ben") is Outcome.NOT_ALLOWED
    assert community.ask("agent", Kind.ORDER, ORDER, account="agent") is Outcome.NOT_ALLOWED
    away = wallet_bodies.Give(target="anna", commodity=Commodity.ERGON, amount=1)
    assert community.ask("agent", Kind.TRANSFER, away, account="ben") is Outcome.NOT_ALLOWED


def test_a_delegation_ends_with_its_last_second() -> None:
    community = street()
    let(community, "agent", "consent", until_s=NOON + HOUR)
    community.now_s = NOON + HOUR - 1
    assert as_anna(community, "agent", Kind.CONSENT, YES) is Outcome.BOOKED
    community.now_s = NOON + HOUR
    assert as_anna(community, "agent", Kind.CONSENT, YES) is Outcome.NOT_ALLOWED
    assert let(community, "agent", "consent", until_s=NOON + HOUR) is Outcome.TOO_LATE


def test_taking_it_back_holds_from_the_very_next_request_of_the_same_batch() -> None:
    community = street()
    seq = community.state.keys.next_seq(key("agent").id)
    let(community, "agent", "consent")
    wires = [
        community.wire("agent", Kind.CONSENT, YES, account="anna", seq=seq),
        community.wire("anna", Kind.DELEGATE, Revoke(to=key("agent").public.hex())),
        community.wire("agent", Kind.CONSENT, YES, account="anna", seq=seq + 1),
    ]
    assert community.sequencer.submit(wires, community.now_s) == [Outcome.BOOKED, Outcome.BOOKED, Outcome.NOT_ALLOWED]
    assert community.ask("anna", Kind.DELEGATE, Revoke(to=key("agent").public.hex())) is Outcome.UNKNOWN_THING


def test_a_new_grant_stands_in_place_of_the_old() -> None:
    community = street()
    let(community, "agent", "order")
    let(community, "agent", "consent")
    assert as_anna(community, "agent", Kind.ORDER, ORDER) is Outcome.NOT_ALLOWED
    assert as_anna(community, "agent", Kind.CONSENT, YES) is Outcome.BOOKED


def test_a_delegation_can_be_narrowed_to_assets_of_the_owner() -> None:
    community = street()
    community.register_gateway("gw-more")
    more = {"gateway": "gw-more", "capacity_wh": 9_000}
    assert community.claim("anna", "second", AssetKind.BATTERY, **more) is Outcome.BOOKED
    assert let(community, "agent", "consent", assets=("ben-battery",)) is Outcome.NOT_ALLOWED
    assert let(community, "agent", "consent", assets=("nothing",)) is Outcome.UNKNOWN_THING
    assert let(community, "agent", "order", assets=("second",)) is Outcome.OVER_LIMIT
    assert let(community, "agent", "consent", "constraint", INSPECT, assets=("second",)) is Outcome.BOOKED
    for asset, outcome in (("second", Outcome.BOOKED), ("anna-battery", Outcome.NOT_ALLOWED)):
        wish = f"charge of {asset} >= 80% at 07:30 on 2 June 2026"
        said = bodies.ConstraintBody(text=wish, said_s=NOON)
        assert as_anna(community, "agent", Kind.CONSTRAINT, said) is outcome
        yes = bodies.ConsentBody(asset=asset, mode=ConsentMode.OFF)
        assert as_anna(community, "agent", Kind.CONSENT, yes) is outcome
    nonsense = bodies.ConstraintBody(text="please be nice", said_s=NOON)
    assert as_anna(community, "agent", Kind.CONSTRAINT, nonsense) is Outcome.NOT_ALLOWED
    assert community.state.consent(battery("anna")) == ALWAYS


def test_an_installer_claims_an_asset_for_its_owner_but_registers_no_key() -> None:
    community = street()
    community.register_gateway("gw-more")
    claim = bodies.RegisterAsset(
        asset="roof",
        gateway="gw-more",
        register=0,
        asset_kind=AssetKind.SOLAR,
        zone="lane",
        max_import_w=0,
        max_export_w=4_000,
    )
    assert as_anna(community, "installer", Kind.REGISTER, claim) is Outcome.NOT_ALLOWED
    let(community, "installer", "register")
    assert as_anna(community, "installer", Kind.REGISTER, sample(Kind.REGISTER)) is Outcome.NOT_ALLOWED
    assert as_anna(community, "installer", Kind.REGISTER, claim) is Outcome.BOOKED
    assert community.state.assets["roof"].owner == "anna"


def test_a_delegate_speaks_with_the_owners_authority_and_no_more() -> None:
    community = street()
    let(community, "agent", "constraint")
    said = bodies.ConstraintBody(text=WISH, said_s=NOON)
    assert as_anna(community, "agent", Kind.CONSTRAINT, said) is Outcome.BOOKED
    assert community.state.stated[-1].constraint.priority is Priority.OWNER
    over_zones = bodies.ConstraintBody(text="energy of zone lane <= 1 kWh from 13:00 to 14:00", said_s=NOON)
    assert as_anna(community, "agent", Kind.CONSTRAINT, over_zones) is not Outcome.BOOKED


@pytest.mark.parametrize("to", ["operator", "planner", "oracle", "dso", "payment", "gw-ben", "anna", "anna too"])
def test_who_acts_for_all_and_who_is_the_owner_is_no_delegate(to: str) -> None:
    community = street()
    community.register_key("anna too", "member", "anna")
    assert let(community, to, "order") is Outcome.NOT_ALLOWED


def test_who_runs_the_wires_may_be_let_look_and_do_nothing_else() -> None:
    community = street()
    assert let(community, "dso", "inspect", assets=("anna-battery",)) is Outcome.BOOKED
    assert let(community, "dso", "inspect", "constraint") is Outcome.NOT_ALLOWED
    assert let(community, "planner", "inspect") is Outcome.NOT_ALLOWED
    said = bodies.ConstraintBody(text=WISH, said_s=NOON)
    assert as_anna(community, "dso", Kind.CONSTRAINT, said) is not Outcome.BOOKED


def test_a_key_that_nobody_registered_is_no_delegate() -> None:
    community = street()
    assert let(community, "stranger", "order") is Outcome.UNKNOWN_THING
    no_point = Grant(to="02" + "f" * 64, kinds=("order",), until_s=NOON + HOUR)
    assert community.ask("anna", Kind.DELEGATE, no_point) is Outcome.UNKNOWN_THING


@pytest.mark.parametrize("who", ["operator", "planner", "dso", "gw-anna", "agent"])
def test_only_members_delegate(who: str) -> None:
    community = street()
    assert let(community, "installer", "order", by=who) is Outcome.NOT_ALLOWED


def test_an_account_has_so_many_delegates_and_what_ended_makes_room() -> None:
    community = street()
    names = [f"agent-{number}" for number in range(MOST_DELEGATES + 1)]
    for name in names:
        community.register_key(name, "agent", name)
    for name in names[:-1]:
        assert let(community, name, "order") is Outcome.BOOKED
    assert let(community, names[-1], "order") is Outcome.OVER_LIMIT
    assert let(community, names[0], "consent") is Outcome.BOOKED, "it has a place already"
    community.now_s = NOON + HOUR
    assert let(community, names[-1], "order", until_s=NOON + 2 * HOUR) is Outcome.BOOKED
    assert len(community.state.trusted.delegations["anna"]) == 1


def test_a_delegation_is_in_the_state_root_and_survives_snapshot_and_replay() -> None:
    community = street()
    before = community.state.root()
    let(community, "agent", "consent", assets=("anna-battery",))
    assert community.state.root() != before
    restored, _ = snapshot.load(snapshot.dump(community.state, community.now_s, community.sequencer.tree.root()))
    assert restored.trusted == community.state.trusted
    assert replay(community.rows(), community.state.community).state.root() == community.state.root()
    community.ask("anna", Kind.DELEGATE, Revoke(to=key("agent").public.hex()))
    assert community.state.trusted.delegations == {}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["grant", "revoke", "try", "wait"]), st.integers(0, 2)), max_size=14))
def test_a_delegate_may_exactly_what_a_list_of_dates_says(story: list[tuple[str, int]]) -> None:
    """The oracle is one number per delegate: until when it may."""
    community = street()
    until = dict.fromkeys(WHO[:3], 0)
    for what, number in story:
        who = WHO[number]
        if what == "grant":
            let(community, who, "consent", until_s=community.now_s + 100 * (number + 1))
            until[who] = community.now_s + 100 * (number + 1)
        elif what == "revoke":
            community.ask("anna", Kind.DELEGATE, Revoke(to=key(who).public.hex()))
            until[who] = 0
        elif what == "wait":
            community.now_s += 60
        for each, account in product(until, ("anna", "ben")):
            yes = bodies.ConsentBody(asset=f"{account}-battery", mode=ConsentMode.ALWAYS)
            may = account == "anna" and community.now_s < until[each]
            assert (community.ask(each, Kind.CONSENT, yes, account=account) is Outcome.BOOKED) == may
