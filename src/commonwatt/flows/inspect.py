"""What an inspector may read: of one asset, as far and as long as its owner or the law allows, and nothing else."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from commonwatt.flows.evidence import ShownItem, ShownLeaf
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import shown_leaf
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.flows.rulebook.identity.delegating import INSPECT, standing_delegation
from commonwatt.flows.rulebook.identity.trusted import Attested
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.metering.batch import ITEM_BYTES, decode_items, item_proof
from commonwatt.model import Asset, AssetId, KeyId, Outcome, Refused

DOSSIER_FORMAT = "commonwatt-dossier-1"
WINDOW_S = 7 * 86_400
"""How far back readings and schedules are shown where nothing else is asked for."""
_KINDS = tuple(f'"kind":"{kind}"'.encode() for kind in ("register", "attest", "schedule", "reading_batch"))


class ReadRight(msgspec.Struct, frozen=True, kw_only=True):
    """By whose leave somebody reads, and until when; ``until_s`` is None for an owner's own."""

    by: Literal["owner", "delegation", "law"]
    until_s: int | None = None


class ShownReadings(msgspec.Struct, frozen=True, kw_only=True):
    """The asset's own records of one batch: where its leaf stands, and each record with its path to the root.

    A path holds hashes of neighbouring records. Each of these has 64 random bits of its own, so that nobody can try
    values until one fits: a path tells nothing of what is beside it.
    """

    position: int
    items: list[ShownItem]


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one asset that its inspector may read.

    Args:
        format: `DOSSIER_FORMAT`.
        community: Whose log it is.
        asset: As it stands: its claim, narrowed by what is attested; ``attested`` tells both.
        inspector: Whose key asked.
        right: By whose leave.
        at_s: When.
        note: The signed checkpoint that the proofs lead to.
        leaves: Registration, credentials and their revocations, schedules, and the heads of batches, in log order.
        readings: The records.
    """

    format: str
    community: str
    asset: Asset
    attested: Attested | None
    suspended: bool
    inspector: KeyId
    right: ReadRight
    at_s: int
    note: str
    leaves: list[ShownLeaf]
    readings: list[ShownReadings]


def dossier(
    state: State,
    tree: MerkleTree,
    rows: Iterable[LeafRow],
    note: str,
    inspector: KeyId,
    asset: str,
    now_s: int,
    since_s: int | None = None,
) -> Dossier:
    """Return what an inspector may read about an asset, with inclusion proofs.

    Args:
        state: The newest, so that what was taken back a moment ago is taken back here.
        tree: Over the log.
        rows: Its leaves; what came after the note is not shown, since nothing proves it yet.
        note: The signed checkpoint.
        inspector: The key that asks; whoever calls has seen that its holder is there.
        asset: About which.
        now_s: The log's time.
        since_s: From when on readings and schedules are shown; a week back where none is given.

    Raises:
        Refused: There is no such asset, or this key may not read about it now. Which of both is not said, so that
            nobody learns by asking what there is.
        Corrupt: The note holds no checkpoint.
    """
    point = read_note(note)
    if len(tree) < point.size or tree.root(point.size) != point.log_root:
        raise Refused("the log is the one of the note", size=point.size, found=len(tree))
    thing = state.assets.get(AssetId(asset))
    right = read_right(state, inspector, thing, now_s) if thing else None
    if thing is None or right is None:
        raise Refused("an inspector reads what owner or law allows", inspector=inspector, asset=asset)
    from_s = now_s - WINDOW_S if since_s is None else since_s
    leaves, readings = list[ShownLeaf](), list[ShownReadings]()
    for row in _about(rows, thing, from_s, point.size):
        if row.items:
            items = list(_items(state, thing, row, from_s))
            if not items:
                continue
            readings.append(ShownReadings(position=row.position, items=items))
        leaves.append(shown_leaf(row, tree, point.size))
    return Dossier(
        format=DOSSIER_FORMAT,
        community=state.community,
        asset=thing,
        attested=state.trusted.attested.get(thing.id),
        suspended=state.trusted.suspended(thing.id),
        inspector=inspector,
        right=right,
        at_s=now_s,
        note=note,
        leaves=leaves,
        readings=readings,
    )


def read_right(state: State, key: KeyId, asset: Asset, now_s: int) -> ReadRight | None:
    """Return by whose leave a key may read about an asset at an instant, or None."""
    record = state.keys.get(key)
    if record is None:
        return None
    if record.role == "member" and record.account == asset.owner:
        return ReadRight(by="owner")
    delegation = standing_delegation(state, asset.owner, key, now_s)
    if delegation and INSPECT in delegation.kinds and (delegation.assets is None or asset.id in delegation.assets):
        return ReadRight(by="delegation", until_s=delegation.until_s)
    # The law opens an asset to an inspector, and only for as long as the operator's word holds that this is one.
    qualified = state.trusted.qualification(key, "inspector", now_s)
    allowed_s = state.trusted.inspectors.get(asset.id, {}).get(key, 0)
    until_s = min(allowed_s, qualified.until_s) if qualified else 0
    return ReadRight(by="law", until_s=until_s) if now_s < until_s else None


def _about(rows: Iterable[LeafRow], thing: Asset, from_s: int, size: int) -> Iterator[LeafRow]:
    """Yield the leaves up to the note that are about an asset alone, and the batches of its gateway."""
    for row in rows:
        if row.position >= size:
            return
        # Most leaves are about something else; their bytes tell, before anything is decoded.
        if row.outcome not in (Outcome.BOOKED, Outcome.SET_ASIDE) or not any(kind in row.body for kind in _KINDS):
            continue
        request = read_head(row.body)
        match bodies.read_body(request.kind, request.body):
            case bodies.RegisterAsset(asset=name) | trust_bodies.AttestAsset(asset=name):
                shown = name == thing.id
            case trust_bodies.Withdraw(asset=named):
                shown = named == thing.id
            case bodies.ScheduleBody(asset=name):
                shown = name == thing.id and row.stamped_s >= from_s
            case bodies.ReadingBatch(gateway=gateway):
                shown = gateway == thing.gateway and row.stamped_s >= from_s
            case _:
                shown = False
        if shown:
            yield row


def _items(state: State, thing: Asset, row: LeafRow, from_s: int) -> Iterator[ShownItem]:
    """Yield the asset's own records of a batch; what else its gateway meters stands there as hashes, if at all."""
    register = state.gateways[thing.gateway].assets.index(thing.id)
    for place, item in enumerate(decode_items(row.items)):
        if item.register == register and item.start_s >= from_s:
            yield ShownItem(
                record=row.items[place * ITEM_BYTES : (place + 1) * ITEM_BYTES].hex(),
                index=place,
                path=[step.hex() for step in item_proof(row.items, place)],
            )
