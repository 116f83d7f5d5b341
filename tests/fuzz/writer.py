"""Fuzz the log's writer: whatever somebody signs, it answers; and what it refuses changes nothing."""

from collections.abc import Sequence
from functools import cache

import msgspec
from community import MEMBERS, NAME, NOON, ROLES, Flow, gateway, instruction, key
from msgspec import Struct
from professionals import BATTERY, PROFESSIONS, inspected, qualify, words
from purse import TERMS, Purse

from commonwatt.flows.rulebook import State, bodies, snapshot
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.market import sale_bodies as sales
from commonwatt.flows.rulebook.market.auctions import auction_bodies as auctions
from commonwatt.flows.rulebook.market.interchange import interchange_bodies as interchange
from commonwatt.flows.rulebook.market.sealing import commitment_of
from commonwatt.flows.rulebook.state import SECTIONS
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.identity.keys import sign_request
from commonwatt.market.auctions import Form, Good
from commonwatt.market.auctions.sealed import commitment
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import (
    AccountId,
    AssetKind,
    Commodity,
    CommunityId,
    ConsentMode,
    InvalidValue,
    KeyId,
    Kind,
    Outcome,
    Request,
    Side,
    canonical_json,
)
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts
from commonwatt.tokens.tsl import TOTAL_MICRO

AUTHORS = ("operator", *ROLES, *MEMBERS[:2], *map(gateway, MEMBERS[:2]), *PROFESSIONS)
KINDS = tuple(Kind)
LATER_S = (0, 0, 1, 60, 900, 2_000, 90_000)
SALT = "5a" * 32
SEALED = order_bodies.WattOrder(side=Side.ASK, energy_wh=50, price_micro_per_kwh=140_000)
SEALED_AT = "45"
"""Where it stands in the log of `stood`."""
_CHANGED = (Outcome.BOOKED, Outcome.SET_ASIDE)


@cache
def stood() -> tuple[bytes, int, PaperLog]:
    """Return a community's state with something of everything in it, as bytes, the log's time, and the log."""
    community = Purse(2, terms=TERMS | {"low_micro": 10, "clear_micro": 20, "meter_grace_s": 900})
    for role in PROFESSIONS:
        community.register_key(role, role, role)
        qualify(community, role, role)
    for _ in range(2):
        community.live(anna=Flow(solar_wh=900, charge_wh=900), ben=Flow(load_wh=300))
    community.order("anna", Side.ASK, 200, 150_000)
    community.order("ben", Side.BID, 100, 120_000)
    community.order("ben", Side.BID, 100, 120_000, community.slot_s + 900)
    community.reserve("anna", "ben", Commodity.TSL, 5)
    community.pay_out("anna", 10_000)
    community.tell(wallets.MandateBody(account="anna", active=True))
    opened(community)
    listing = sales.Listing(energy_wh=9, price_micro_per_kwh=5, until_s=community.now_s + 999)
    assert community.ask("anna", Kind.TRANSFER, listing) is Outcome.BOOKED
    sealed = order_bodies.Sealed(commitment=commitment_of(AccountId("ben"), SEALED, SALT))
    assert str(len(community.sequencer.tree)) == SEALED_AT
    assert community.ask("ben", Kind.ORDER, sealed) is Outcome.BOOKED
    community.sequencer.save_snapshot()
    assert isinstance(community.store, PaperLog)
    return snapshot.dump(community.state, community.now_s, bytes(32)), community.now_s, community.store


def opened(community: Purse) -> None:
    """Hold two auctions: one in which bids are open, and one in which a sealed one is to be revealed."""
    terms = {"side": Side.ASK, "good": Good.WATT, "amount": 9, "start_s": community.now_s, "reserve_price": 5}
    for form, end_s in ((Form.ENGLISH, 900), (Form.SECOND_PRICE, 1)):
        reveal_s = 5_000 if form is Form.SECOND_PRICE else 0
        body = auctions.Open(form=form, end_s=community.now_s + end_s, reveal_s=reveal_s, bidder_bond_micro=3, **terms)
        auction = str(len(community.sequencer.tree))
        community.ask("anna", Kind.AUCTION, body)
        bid: Struct = auctions.Offer(auction=auction, amount=9, price_micro_per_kwh=7)
        if form is Form.SECOND_PRICE:
            bid = auctions.Seal(auction=auction, hash=commitment(auction, AccountId("ben"), 9, 7, SALT))
        assert community.ask("ben", Kind.AUCTION, bid) is Outcome.BOOKED


def woken() -> Sequencer:
    """Return a writer of its own over a copy of the log."""
    log, whole = PaperLog(), stood()[2]
    log.append(list(whole.rows()), {}, {(0, 0): whole.tile(0, 0)})
    log.save_snapshot(*next(iter(whole.snapshots())))
    return Sequencer(log, NAME, salts("tiny"))


def submitted(data: bytes) -> None:
    """Sign what was made up as somebody, hand it in twice, and see what it did."""
    writer, now_s = woken(), stood()[1]
    wire = _signed(writer.state, data)
    now_s += LATER_S[data[2] % len(LATER_S)] if len(data) > 2 else 0
    # What has come due by then is done by a request that can do nothing else, so that only ours is looked at.
    writer.submit([_idle(writer.state)], now_s)
    before, roots, size = writer.state.sections(), writer.state.root(), len(writer.tree)
    (outcome,) = writer.submit([wire], now_s)
    after = writer.state.sections()
    if not outcome.admitted:
        assert (writer.state.root(), len(writer.tree)) == (roots, size), f"{outcome} leaves no trace"
    elif outcome not in _CHANGED:
        changed = [name for name, a, b in zip(SECTIONS, before, after, strict=True) if a != b]
        assert changed == ["numbers"], f"{outcome} changed {changed}"
    check_books(writer.state)
    again = writer.submit([wire], now_s)
    assert not outcome.admitted or again == [outcome], "a repeat has its first outcome"
    assert snapshot.load(snapshot.dump(writer.state, now_s, bytes(32)))[0].root() == writer.state.root()
    writer.submit([_idle(writer.state)], now_s + 5_000)
    check_books(writer.state)


def founded(data: bytes) -> None:
    """Hand made-up bytes in as the first request of a log; and where they are taken, go on."""
    store = PaperLog()
    writer = Sequencer(store, NAME, salts("tiny"))
    try:
        body = msgspec.json.decode(data)
        request = Request(
            community=CommunityId(NAME),
            kind=Kind.REGISTER,
            author=key("operator").id,
            seq=1,
            on_behalf_of=AccountId("operator"),
            body=body if isinstance(body, dict) else {},
        )
        data = sign_request(request, key("operator")).wire_bytes()
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidValue):
        pass
    if writer.submit([data], NOON) == [Outcome.BOOKED]:
        assert replay(store.rows(), NAME).state.root() == writer.state.root()
        assert snapshot.load(snapshot.dump(writer.state, NOON, bytes(32)))[0].root() == writer.state.root()


def check_books(state: State) -> None:
    """Hold what must be true of tokens in every state."""
    assert all(state.accounts.total(commodity) == 0 for commodity in Commodity)
    assert state.tsl(AccountId("mint")) == -TOTAL_MICRO
    assert sum(state.watt(member) for member in state.members()) == state.claims.total_wh
    assert all(state.watt(member) >= 0 and state.tsl(member) >= 0 for member in state.members())


def _signed(state: State, data: bytes) -> bytes:
    """Return a well-signed request with a made-up body; bytes that are no JSON object stand as they are."""
    head, told = data[:3].ljust(3, b"\0"), data[3:]
    text, _, items = told.partition(b"\n")
    who, kind = AUTHORS[head[0] % len(AUTHORS)], KINDS[head[1] % len(KINDS)]
    record = state.keys[key(who).id]
    try:
        body = msgspec.json.decode(text)
        if kind is Kind.READING_BATCH and isinstance(body, dict):
            whole = items[: len(items) // 48 * 48]
            body |= msgspec.to_builtins(bodies.batch_head(str(body.get("gateway", "")), whole)) if whole else {}
            body = {name: value for name, value in body.items() if value is not None}
            items = whole
        request = Request(
            community=CommunityId(NAME),
            kind=kind,
            author=key(who).id,
            seq=state.keys.next_seq(key(who).id),
            on_behalf_of=record.account,
            body=body if isinstance(body, dict) else {},
            items=items if kind is Kind.READING_BATCH else b"",
        )
        return sign_request(request, key(who)).wire_bytes()
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidValue, RecursionError):
        return data


def _idle(state: State) -> bytes:
    """Return a request that is refused and changes nothing but its author's number."""
    who = "ben"
    request = Request(
        community=CommunityId(NAME),
        kind=Kind.CANCEL,
        author=KeyId(key(who).id),
        seq=state.keys.next_seq(key(who).id),
        on_behalf_of=AccountId(who),
        body={"what": "cancel", "order": "none"},
    )
    return sign_request(request, key(who)).wire_bytes()


def _said(who: str, kind: Kind, body: Struct, later: int = 0, items: bytes = b"") -> bytes:
    head = bytes([AUTHORS.index(who), KINDS.index(kind), later])
    return head + canonical_json(bodies.write_body(body)) + (b"\n" + items if items else b"")


@cache
def said() -> Sequence[bytes]:
    """Return a request of every kind, most of which can be done."""
    now_s, store = stood()[1], stood()[2]
    items = encode_items([Item(start_s=now_s, register=n, import_wh=9, export_wh=0) for n in (0, 1)])
    trust_key = key("engineer").public.hex()
    reserved = next(str(row.position) for row in store.rows() if b'"what":"reserve"' in row.body)
    listing = next(str(row.position) for row in store.rows() if b'"what":"list"' in row.body)
    payout = next(str(row.position) for row in store.rows() if b'"kind":"payout"' in row.body)
    money = Commodity.ERGON
    against = wallets.InReturn(commodity=Commodity.WATT, amount=3)
    asset = bodies.RegisterAsset(
        asset="car",
        gateway=gateway("anna"),
        register=3,
        asset_kind=AssetKind.VEHICLE,
        zone="lane",
        max_import_w=10**9,
        max_export_w=0,
        capacity_wh=5,
    )
    return (
        _said(
            "operator",
            Kind.REGISTER,
            bodies.RegisterKey(public=key("x").public.hex(), alg="secp256k1", role="member", account="x"),
        ),
        _said(
            "operator",
            Kind.REGISTER,
            bodies.RegisterGateway(gateway="gw-x", public=key("y").public.hex(), alg="secp256k1"),
        ),
        _said("anna", Kind.REGISTER, asset),
        _said(
            "anna",
            Kind.CONSTRAINT,
            bodies.ConstraintBody(text="battery of anna-battery >= 5 kWh at 06:30", said_s=now_s),
        ),
        _said(
            "dso",
            Kind.CONSTRAINT,
            bodies.ConstraintBody(text="power of zone lane <= 5 kW from 18:00 to 20:00 for dso", said_s=now_s),
        ),
        _said(gateway("anna"), Kind.READING_BATCH, bodies.batch_head(gateway("anna"), items), 4, items),
        _said(
            "anna",
            Kind.ORDER,
            order_bodies.SlotOrder(side=Side.BID, energy_wh=90, price_micro_per_kwh=10**9, slot_s=now_s + 900),
        ),
        _said("ben", Kind.ORDER, order_bodies.WattOrder(side=Side.BID, energy_wh=100, price_micro_per_kwh=160_000)),
        _said("ben", Kind.ORDER, order_bodies.WattOrder(side=Side.BID, energy_wh=100)),
        _said("ben", Kind.ORDER, order_bodies.Reveal(sealed=SEALED_AT, salt=SALT, order=SEALED)),
        _said("anna", Kind.ORDER, order_bodies.Sealed(commitment="ab" * 32)),
        _said("anna", Kind.ORDER, order_bodies.AgentOn(buy_micro_per_kwh=1, sell_micro_per_kwh=10**9)),
        _said("anna", Kind.CANCEL, order_bodies.AgentOff()),
        _said("anna", Kind.CANCEL, order_bodies.Amend(order="34", energy_wh=1)),
        _said("oracle", Kind.FACT, bodies.FactBody(start_s=NOON + 86_400, prices=[(10**9, -(10**9))] * 3)),
        _said(
            "planner",
            Kind.SCHEDULE,
            bodies.ScheduleBody(asset=BATTERY, issued_s=now_s, instructions=[instruction(500)]),
        ),
        _said("anna", Kind.CONSENT, bodies.ConsentBody(asset=BATTERY, mode=ConsentMode.OFF)),
        _said(
            gateway("anna"),
            Kind.ACK,
            bodies.AckBody(
                gateway=gateway("anna"), slot_s=now_s, acks=[bodies.AckItem(command="c", asset=BATTERY, lo_w=1, hi_w=2)]
            ),
        ),
        _said("payment", Kind.PURCHASE, bodies.PurchaseBody(account="anna", amount_micro=10**12, reference="r")),
        _said("payment", Kind.PURCHASE, wallets.RefundBody(reference="f", purchase="first anna", amount_micro=5)),
        _said(
            "payment", Kind.PURCHASE, wallets.ChargeBackBody(reference="g", purchase="first anna", amount_micro=10**9)
        ),
        _said(
            "anna",
            Kind.PURCHASE,
            wallets.TopUpWish(
                rule=wallets.TopUpRuleItem(threshold_micro=10**9, amount_micro=10_000, daily_cap_micro=10**9)
            ),
            4,
        ),
        _said("payment", Kind.PURCHASE, wallets.MandateBody(account="ben", active=True)),
        _said("anna", Kind.PAYOUT, wallets.PayoutRequest(amount_micro=10_000)),
        _said("payment", Kind.PAYOUT, wallets.PayoutPaid(payout=payout)),
        _said("payment", Kind.PAYOUT, wallets.PayoutFailed(payout=payout)),
        _said("anna", Kind.TRANSFER, wallets.Give(target="ben", commodity=Commodity.WATT, amount=5)),
        _said(
            "ben",
            Kind.TRANSFER,
            wallets.Reserve(target="anna", commodity=money, amount=9, until_s=now_s + 9, against=against),
            2,
        ),
        _said("ben", Kind.TRANSFER, wallets.Post(transfer=reserved, amount=2)),
        _said("ben", Kind.TRANSFER, wallets.Void(transfer=reserved), 6),
        *(
            _said("ben", Kind.AUCTION, body, 2)
            for auction in (str(row.position) for row in store.rows() if b'"what":"open"' in row.body)
            for body in (
                auctions.Offer(auction=auction, amount=9, price_micro_per_kwh=8),
                auctions.Seal(auction=auction, hash="0" * 64),
                auctions.Reveal(auction=auction, amount=9, price_micro_per_kwh=7, salt=SALT),
                auctions.TakeDown(auction=auction),
            )
        ),
        _said(
            "anna",
            Kind.AUCTION,
            auctions.Open(
                form=Form.DUTCH,
                side=Side.BID,
                good=Good.UP,
                amount=9_000,
                start_s=now_s,
                end_s=now_s + 60,
                tick_s=9,
                opening_price=5,
                reserve_price=9,
                from_s=NOON + 90_000,
                to_s=NOON + 91_800,
            ),
        ),
        _said("anna", Kind.TRANSFER, sales.Listing(energy_wh=9, price_micro_per_kwh=5, until_s=now_s + 9, whole=True)),
        _said("anna", Kind.TRANSFER, sales.Unlist(listing=listing)),
        _said("ben", Kind.TRANSFER, sales.Take(listing=listing, seller="anna", energy_wh=3, most_micro=9), 2),
        _said(
            "operator",
            Kind.INTERCHANGE,
            interchange.RegisterNeighbour(community="north", operator=trust_key, note="n", most_wh=9, most_micro=9),
        ),
        _said("operator", Kind.INTERCHANGE, interchange.Refuse(community="north", number=3)),
        _said("anna", Kind.DELEGATE, trust_bodies.Grant(to=trust_key, kinds=("order",), until_s=now_s + 9)),
        _said("anna", Kind.DELEGATE, trust_bodies.Revoke(to=trust_key)),
        _said(
            "inspector",
            Kind.ATTEST,
            trust_bodies.AttestAsset(asset=BATTERY, credential=words("inspector", inspected("fail"))),
        ),
        _said("operator", Kind.ATTEST, trust_bodies.Archived(day="2026-06-01", manifest="0f" * 32)),
        _said("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note="note")),
        *(row.body for row in list(store.rows())[:3]),
    )


def charters() -> Sequence[bytes]:
    """Return foundings with everything in them."""
    _, _, store = stood()
    first = msgspec.json.decode(next(iter(store.rows())).body)
    return [canonical_json(first["body"]), next(iter(store.rows())).body]
