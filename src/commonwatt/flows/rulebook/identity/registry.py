"""Rules for who and what exists, and which facts count; see `stating` for statements, `consenting` for schedules."""

from dataclasses import fields, replace

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.charter import Charter
from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.market import slot_market
from commonwatt.flows.rulebook.settlement import sharing
from commonwatt.flows.rulebook.settlement.sharing_bodies import SharingKey
from commonwatt.flows.rulebook.state import CHAIN_DESK, CHAIN_ROLE, Answer, Gateway, State
from commonwatt.flows.rulebook.tokens import commission
from commonwatt.flows.rulebook.tokens.crossed import Named
from commonwatt.identity.keys import VerifyingKey
from commonwatt.identity.p256 import AnyVerifyingKey, verifying_key
from commonwatt.ledger.checkpoint import read_note
from commonwatt.model import (
    GRID,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    Ack,
    Asset,
    AssetId,
    AssetKind,
    Band,
    GatewayId,
    InvalidValue,
    Outcome,
    Request,
)


def found(state: State, body: bodies.RegisterCommunity, stamped_s: int) -> Outcome:
    """Take in the first leaf: the community, signed by its operator's own key. Settlement begins with its slot."""
    state.settled_to_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    key = VerifyingKey(bytes.fromhex(body.public))
    state.operator = key.id
    state.charter = charter(body)
    state.gains = None if body.settlement.equalise == "none" else {}
    state.keys.add(key, "operator", AccountId("operator"))
    state.registry_version += 1
    _open_wallets(state)
    return Outcome.BOOKED


def charter(body: bodies.RegisterCommunity) -> Charter:
    """Return the parameters that a founding tells.

    Raises:
        InvalidValue: They contradict each other.
    """
    return Charter(**{field.name: getattr(body, field.name) for field in fields(Charter)})


def _open_wallets(state: State) -> None:
    told, slot_s = state.charter, state.settled_to_s
    low = (told.low_micro, told.clear_micro) if told.low_micro is not None and told.clear_micro is not None else None
    switch = (told.meter_threshold_micro, told.meter_grace_s) if told.meter_grace_s is not None else None
    state.wallets.open(slot_s, low, switch, commission=told.commission_micro_per_kwh > 0)
    commission.endow(state, slot_s)


def register(state: State, request: Request, body: bodies.Register, stamped_s: int) -> Outcome:
    """Register a key or a gateway (operator), or claim an asset behind a gateway (its owner, row H1)."""
    if isinstance(body, bodies.RegisterCommunity):
        return Outcome.ALREADY_THERE
    if isinstance(body, bodies.RegisterAsset):
        return _claim(state, request, body, stamped_s)
    if isinstance(body, bodies.RegisterZone | bodies.PlaceConnection):
        grids = request.author == state.operator or state.keys[request.author].role == "dso"
        if not grids:
            return Outcome.NOT_ALLOWED
        return slot_market.zone(state, body) if isinstance(body, bodies.RegisterZone) else _place(state, body)
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    if isinstance(body, SharingKey):
        return sharing.register_key(state, body, stamped_s)
    try:
        key = verifying_key(bytes.fromhex(body.public), body.alg)
    except InvalidValue:
        return Outcome.NOT_ALLOWED
    if key.id in state.keys:
        return Outcome.ALREADY_THERE
    if isinstance(body, bodies.RegisterGateway):
        gateway = GatewayId(body.gateway)
        if gateway in state.gateways:
            return Outcome.ALREADY_THERE
        state.gateways[gateway] = Gateway(key.id)
        state.keys.add(key, "gateway", AccountId(body.gateway), gateway)
        state.registry_version += 1
        return Outcome.BOOKED
    return _key(state, key, body, stamped_s)


def _key(state: State, key: AnyVerifyingKey, body: bodies.RegisterKey, stamped_s: int) -> Outcome:
    account = AccountId(body.account)
    if _misplaced(body.role, account) or not _of_one_vault(state, body):
        return Outcome.NOT_ALLOWED
    new = body.role == "member" and not state.keys.has_role(account, "member")
    state.keys.add(key, body.role, account)
    if body.chain_id is not None and body.vault is not None:
        state.crossed.vault = Named(chain_id=body.chain_id, vault=body.vault)
    state.registry_version += 1
    if new:
        commission.welcome(state, account, stamped_s // SLOT_SECONDS * SLOT_SECONDS)
    return Outcome.BOOKED


def _misplaced(role: str, account: AccountId) -> bool:
    """Tell whether nobody can have this role for this account: names of the books' own, the grid's, the chain's."""
    if (account == GRID) != (role == "dso") or (role == CHAIN_ROLE and account != CHAIN_DESK):
        return True
    return account in set(SYSTEM_ACCOUNTS) - {GRID}


def _of_one_vault(state: State, body: bodies.RegisterKey) -> bool:
    """Tell whether the crossing desk's key, and no other, names a Vault: the one that was named before, if any was.

    A second one could be shown the same states, and would pay again what the first one paid.
    """
    if body.role != CHAIN_ROLE or body.chain_id is None or body.vault is None:
        return body.role != CHAIN_ROLE and body.chain_id is None and body.vault is None
    return state.crossed.vault in (None, Named(chain_id=body.chain_id, vault=body.vault))


def _claim(state: State, request: Request, body: bodies.RegisterAsset, stamped_s: int) -> Outcome:
    gateway = GatewayId(body.gateway)
    if request.author == state.operator:
        return Outcome.NOT_ALLOWED
    if gateway not in state.gateways:
        return Outcome.UNKNOWN_THING
    if body.asset in state.assets:
        return Outcome.ALREADY_THERE
    if body.register != len(state.gateways[gateway].assets):
        return Outcome.NOT_ALLOWED
    # The feeder's meter is the grid's; whoever claims a gateway first is the one who holds its number in hand.
    owner = request.on_behalf_of
    feeder = body.asset_kind is AssetKind.FEEDER
    claimed_by = {state.assets[asset].owner for asset in state.gateways[gateway].assets}
    if feeder != (owner == GRID) or claimed_by - {owner}:
        return Outcome.NOT_ALLOWED
    if (body.capacity_wh > 0) != (body.asset_kind in (AssetKind.BATTERY, AssetKind.VEHICLE)):
        return Outcome.OVER_LIMIT
    if body.asset_kind is AssetKind.CONNECTION and owner in state.connections:
        return Outcome.ALREADY_THERE
    if body.asset_kind is AssetKind.CONNECTION and body.zone in state.zones:
        return Outcome.NOT_ALLOWED  # what a zone costs and who is near in it is not for its members to choose
    if feeder and columns(state).feeder:
        return Outcome.ALREADY_THERE  # the grid's account is what one meter counts
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
    state.gateways[gateway].assets.append(AssetId(body.asset))
    state.readings.join(AssetId(body.asset))
    if body.asset_kind is AssetKind.CONNECTION:
        state.connections[owner] = AssetId(body.asset)
    state.registry_version += 1
    return Outcome.BOOKED


def _place(state: State, body: bodies.PlaceConnection) -> Outcome:
    """Say in which registered zone a connection lies; orders that stand meet there from the next gate on."""
    asset = state.assets.get(AssetId(body.asset))
    if asset is None or asset.kind is not AssetKind.CONNECTION or body.zone not in state.zones:
        return Outcome.UNKNOWN_THING
    state.assets[asset.id] = replace(asset, zone=body.zone)
    if known := state.trusted.attested.get(asset.id):  # what comes back where a specification is revoked
        state.trusted.attested[asset.id] = replace(known, claimed=replace(known.claimed, zone=body.zone))
    state.registry_version += 1
    return Outcome.BOOKED


def fact(state: State, request: Request, body: bodies.FactBody) -> Outcome:
    """Take in published prices; a slot's price never changes once it is told, nor once it can matter no more."""
    if body.imbalance:
        return sharing.imbalance_fact(state, body)
    if body.start_s % SLOT_SECONDS:
        return Outcome.OVER_LIMIT
    told = {body.start_s + n * SLOT_SECONDS: (bought, sold) for n, (bought, sold) in enumerate(body.prices)}
    told = {slot_s: prices for slot_s, prices in told.items() if slot_s >= state.horizon_s}
    if not told:
        return Outcome.TOO_LATE
    if any(slot_s in state.prices for slot_s in told):
        return Outcome.ALREADY_THERE
    state.prices.update(told)
    return Outcome.BOOKED


def checkpoint(state: State, body: bodies.CheckpointBody) -> Outcome:
    """Take in a checkpoint, whose roots are compared where the log is: one a slot, since two would be fraud."""
    slot_s = read_note(body.note).slot_s
    if slot_s <= state.checked_s:
        return Outcome.TOO_LATE
    state.checked_s = slot_s
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
