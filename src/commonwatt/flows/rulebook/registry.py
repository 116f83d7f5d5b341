"""Rules for who and what exists, who may be told what, and which facts count."""

from zoneinfo import ZoneInfo

from commonwatt.flexibility import language
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.state import Answer, KeyRecord, State, Stated
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import (
    GRID,
    PAYMENT_PORT,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    Ack,
    Asset,
    AssetId,
    AssetKind,
    Band,
    Commodity,
    Constraint,
    GatewayId,
    Instruction,
    Interval,
    InvalidValue,
    Outcome,
    Priority,
    Refused,
    Request,
    Schedule,
    instant,
)

_FLOOR = {"member": Priority.OWNER, "dso": Priority.DSO}
"""The highest priority that a role may claim for what it states."""

MOST_ERGON_MICRO = 10**15
"""All ERGON of one community together, a thousand million units of money: far from where whole numbers end."""


def found(state: State, body: bodies.RegisterCommunity, stamped_s: int) -> Outcome:
    """Take in the first leaf: the community, signed by its operator's own key. Settlement begins with its slot."""
    state.settled_to_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    key = VerifyingKey(bytes.fromhex(body.public))
    state.operator = key.id
    state.timezone, state.b_max_wh = body.timezone, body.b_max_wh
    state.grace_slots, state.gate_s = body.grace_slots, body.gate_s
    state.keys[key.id] = KeyRecord(key, "operator", AccountId("operator"))
    return Outcome.BOOKED


def register(state: State, request: Request, body: bodies.Register, stamped_s: int) -> Outcome:
    """Register a key or a gateway (operator), or claim an asset behind a gateway (its owner, row H1)."""
    if isinstance(body, bodies.RegisterCommunity):
        return Outcome.ALREADY_THERE
    if isinstance(body, bodies.RegisterAsset):
        return _claim(state, request, body, stamped_s)
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    try:
        key = VerifyingKey(bytes.fromhex(body.public))
    except InvalidValue:
        return Outcome.NOT_ALLOWED
    if key.id in state.keys:
        return Outcome.ALREADY_THERE
    if isinstance(body, bodies.RegisterGateway):
        gateway = GatewayId(body.gateway)
        if gateway in state.gateways:
            return Outcome.ALREADY_THERE
        state.gateways[gateway] = key.id
        state.keys[key.id] = KeyRecord(key, "gateway", AccountId(body.gateway), gateway)
        return Outcome.BOOKED
    account = AccountId(body.account)
    if (account == GRID) != (body.role == "dso") or account in set(SYSTEM_ACCOUNTS) - {GRID}:
        return Outcome.NOT_ALLOWED
    state.keys[key.id] = KeyRecord(key, body.role, account)
    return Outcome.BOOKED


def _claim(state: State, request: Request, body: bodies.RegisterAsset, stamped_s: int) -> Outcome:
    gateway = GatewayId(body.gateway)
    if request.author == state.operator:
        return Outcome.NOT_ALLOWED
    if gateway not in state.gateways:
        return Outcome.UNKNOWN_THING
    if body.asset in state.assets:
        return Outcome.ALREADY_THERE
    # The feeder's meter is the grid's; whoever claims a gateway first is the one who holds its number in hand.
    owner = request.on_behalf_of
    feeder = body.asset_kind is AssetKind.FEEDER
    claimed_by = {asset.owner for asset in state.assets.values() if asset.gateway == gateway}
    if feeder != (owner == GRID) or claimed_by - {owner}:
        return Outcome.NOT_ALLOWED
    if (body.capacity_wh > 0) != (body.asset_kind in (AssetKind.BATTERY, AssetKind.VEHICLE)):
        return Outcome.OVER_LIMIT
    if body.asset_kind is AssetKind.CONNECTION and _connection(state, owner):
        return Outcome.ALREADY_THERE
    try:
        state.assets[AssetId(body.asset)] = Asset(
            id=AssetId(body.asset),
            owner=owner,
            gateway=gateway,
            kind=body.asset_kind,
            zone=body.zone,
            max_import_w=body.max_import_w,
            max_export_w=body.max_export_w,
            min_import_w=body.min_import_w,
            capacity_wh=body.capacity_wh,
            charge_permille=body.charge_permille,
            discharge_permille=body.discharge_permille,
        )
    except InvalidValue:
        return Outcome.OVER_LIMIT
    state.joined_s[AssetId(body.asset)] = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    return Outcome.BOOKED


def _connection(state: State, owner: AccountId) -> bool:
    return any(asset.owner == owner and asset.kind is AssetKind.CONNECTION for asset in state.assets.values())


def fact(state: State, request: Request, body: bodies.FactBody) -> Outcome:
    """Take in published prices; a slot's price never changes once it is told."""
    if body.start_s % SLOT_SECONDS:
        return Outcome.OVER_LIMIT
    told = {body.start_s + n * SLOT_SECONDS: (bought, sold) for n, (bought, sold) in enumerate(body.prices)}
    if any(slot_s in state.prices for slot_s in told):
        return Outcome.ALREADY_THERE
    state.prices.update(told)
    return Outcome.BOOKED


def constraint(state: State, request: Request, body: bodies.ConstraintBody, position: int) -> Outcome:
    """Take in a statement, if its author may state it: owners about their assets, grid operators about zones."""
    try:
        read = language.parse(body.text, instant(body.said_s), ZoneInfo(state.timezone))
    except (Refused, InvalidValue):
        return Outcome.OVER_LIMIT
    role = state.keys[request.author].role
    if read.priority < _FLOOR[role] or read.zones != (role == "dso"):
        return Outcome.NOT_ALLOWED
    outcome = _owns(state, request.on_behalf_of, read)
    if outcome is Outcome.BOOKED:
        state.stated.append(Stated(position=position, account=request.on_behalf_of, text=body.text, constraint=read))
    return outcome


def _owns(state: State, account: AccountId, read: Constraint) -> Outcome:
    if read.zones:
        known = {asset.zone for asset in state.assets.values()}
        return Outcome.BOOKED if set(read.scope) <= known else Outcome.UNKNOWN_THING
    assets = [state.assets.get(AssetId(name)) for name in read.scope]
    if None in assets:
        return Outcome.UNKNOWN_THING
    if not all(asset and asset.owner == account for asset in assets):
        return Outcome.NOT_ALLOWED
    stored = read.at is not None
    return Outcome.OVER_LIMIT if stored and not all(asset and asset.stores for asset in assets) else Outcome.BOOKED


def consent(state: State, request: Request, body: bodies.ConsentBody) -> Outcome:
    """Note an owner's standing yes or no."""
    asset = state.assets.get(AssetId(body.asset))
    if asset is None:
        return Outcome.UNKNOWN_THING
    if asset.owner != request.on_behalf_of:
        return Outcome.NOT_ALLOWED
    state.consents[asset.id] = body.standing
    return Outcome.BOOKED


def schedule(state: State, request: Request, body: bodies.ScheduleBody) -> Outcome:
    """Put a schedule in force; without its owner's consent it is refused."""
    asset = state.assets.get(AssetId(body.asset))
    if asset is None:
        return Outcome.UNKNOWN_THING
    if not state.consents.get(asset.id, False):
        return Outcome.NOT_ALLOWED
    try:
        entries = tuple(
            Instruction(
                verb=item.verb,
                interval=Interval(instant(item.start_s), instant(item.end_s)),
                power_w=item.power_w,
                expected_wh=item.expected_wh,
                reason=item.reason,
                balance_w=item.balance_w,
            )
            for item in body.instructions
        )
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if any(not -asset.max_export_w <= entry.power_w <= asset.max_import_w for entry in entries):
        return Outcome.OVER_LIMIT
    state.schedules[asset.id] = Schedule(asset=asset.id, issued=instant(body.issued_s), instructions=entries)
    return Outcome.BOOKED


def ack(state: State, request: Request, body: bodies.AckBody) -> Outcome:
    """Note what a gateway's devices did with their commands."""
    gateway = state.keys[request.author].gateway
    if body.gateway != gateway:
        return Outcome.NOT_ALLOWED
    assets = [state.assets.get(AssetId(item.asset)) for item in body.acks]
    if any(asset is None for asset in assets):
        return Outcome.UNKNOWN_THING
    if any(asset is not None and asset.gateway != gateway for asset in assets):
        return Outcome.NOT_ALLOWED
    try:
        answers = [Answer(slot_s=body.slot_s, ack=_ack(item)) for item in body.acks]
    except InvalidValue:
        return Outcome.OVER_LIMIT
    state.answers.update((answer.ack.asset, answer) for answer in answers)
    return Outcome.BOOKED


def _ack(item: bodies.AckItem) -> Ack:
    took = item.lo_w is not None and item.hi_w is not None
    band = Band(lo_w=item.lo_w or 0, hi_w=item.hi_w or 0) if took else None
    return Ack(command=item.command, asset=AssetId(item.asset), taken=band, why=item.why)


def purchase(state: State, request: Request, body: bodies.PurchaseBody, position: int, stamped_s: int) -> Outcome:
    """Mint ERGON against money received (row H2); one payment reference counts once."""
    account = AccountId(body.account)
    if account not in state.members():
        return Outcome.UNKNOWN_THING
    if body.reference in state.purchases:
        return Outcome.ALREADY_THERE
    if body.amount_micro - state.ergon(PAYMENT_PORT) > MOST_ERGON_MICRO:
        return Outcome.OVER_LIMIT
    state.purchases.add(body.reference)
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    state.move(
        Commodity.ERGON, PAYMENT_PORT, account, body.amount_micro, slot_s=slot_s, memo="purchase", ref=str(position)
    )
    return Outcome.BOOKED
