"""A state at rest: everything that decides what may happen next, as bytes, and back again with the same root."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

import msgspec
import numpy as np

from commonwatt.flows.rulebook.charging.licences import KeptLicences, Licences
from commonwatt.flows.rulebook.charging.sessions import KeptSessions, Sessions
from commonwatt.flows.rulebook.market.contracts.contracted import Contracted
from commonwatt.flows.rulebook.market.contracts.contracted import Dumped as ContractDump
from commonwatt.flows.rulebook.market.interchange.neighbours import Neighbour, Neighbours
from commonwatt.flows.rulebook.market.seals import Seal, Seals
from commonwatt.flows.rulebook.state import Gateway, State
from commonwatt.flows.rulebook.tokens.crossed import Crossed, KeptCrossed
from commonwatt.flows.rulebook.tokens.wallets import Kept, Wallets
from commonwatt.identity.directory import Directory
from commonwatt.identity.keys import SECP256K1
from commonwatt.identity.p256 import verifying_key
from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.journal import Journal
from commonwatt.market.auctions import Auctions
from commonwatt.market.auctions.standing import Kept as KeptAuctions
from commonwatt.market.book import Book
from commonwatt.market.slots import Dumped as SlotDump
from commonwatt.market.slots import SlotMarket
from commonwatt.metering.table import ReadingTable
from commonwatt.model import AccountId, AssetId, AssetKind, Corrupt, GatewayId, InvalidValue, Order
from commonwatt.tokens.watt import StorageClaims

FORMAT = 8
_DERIVED = frozenset(
    {"columns", "traders", "_exits", "_registry", "registry_version", "connections", "gateways", "doubted"}
)
"""Fields that follow from the others, which alone the state root binds; and what is only noted along the way."""


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    format: int
    log_root: bytes
    state_root: bytes
    last_s: int
    parts: dict[str, msgspec.Raw]


def dump(state: State, last_s: int, log_root: bytes) -> bytes:
    """Return a state as bytes.

    Args:
        state: Between two commits.
        last_s: The log's time.
        log_root: Root over the leaves that led to it.
    """
    parts = {}
    for field in fields(State):
        if field.name not in _DERIVED:
            value = getattr(state, field.name)
            form = _FORMS.get(type(value))
            plain = form[0](value) if form else value
            parts[field.name] = msgspec.Raw(msgspec.msgpack.encode(plain))
    return msgspec.msgpack.encode(_Kept(FORMAT, log_root, state.root(), last_s, parts))


def load(content: bytes) -> tuple[State, int]:
    """Return the state that `dump` wrote, and the log's time.

    Raises:
        Corrupt: The bytes are damaged, of another format, or lead to another state root than they tell.
    """
    kept = _read(content)
    hints = get_type_hints(State)
    try:
        parts: dict[str, Any] = {}
        for name, raw in kept.parts.items():
            form = _FORMS.get(hints[name])
            parts[name] = form[2](msgspec.msgpack.decode(raw, type=form[1])) if form else _plain(raw, hints[name])
        if msgspec.msgpack.encode(parts["charter"]) != bytes(kept.parts["charter"]):
            # A field whose name is damaged would be taken as not told, which the root cannot tell from its default.
            raise InvalidValue("a charter tells each parameter by its name")
        state = _derived(State(**parts))
        root = state.root()
    except (msgspec.MsgspecError, LookupError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise Corrupt(f"a snapshot does not hold a state: {error}") from error
    if root != kept.state_root:
        raise Corrupt("a snapshot leads to another state root than it tells")
    return state, kept.last_s


def _derived(state: State) -> State:
    """Return a state with what follows from its keys and assets, so that nobody can slip in anything else.

    Raises:
        InvalidValue: Its readings are of other meters than are registered.
    """
    for record in state.keys:
        if record.gateway is not None:
            state.gateways[record.gateway] = Gateway(record.verifying.id)
    for asset in state.assets.values():
        state.gateways[asset.gateway].assets.append(asset.id)
        if asset.kind is AssetKind.CONNECTION:
            state.connections[asset.owner] = asset.id
    if state.readings.meters != list(state.assets):
        raise InvalidValue("readings are of the meters that are registered, in their order")
    told = state.charter
    for part, mine in (
        (state.wallets.low, (told.low_micro, told.clear_micro)),
        (state.wallets.switch, (told.meter_threshold_micro, told.meter_grace_s)),
    ):
        if part is not None and part[:2] != mine:
            raise InvalidValue(f"a notice and a switch have the charter's numbers {mine}, was {part[:2]}")
    return state


def log_root(content: bytes) -> bytes:
    """Return the root over the leaves that led to a snapshot.

    Raises:
        Corrupt: The bytes are no snapshot.
    """
    return _read(content).log_root


def _read(content: bytes) -> _Kept:
    try:
        kept = msgspec.msgpack.decode(content, type=_Kept)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"these bytes are no snapshot: {error}") from error
    if kept.format != FORMAT:
        raise Corrupt(f"a snapshot is of format {FORMAT}, was {kept.format}")
    return kept


def _plain(raw: msgspec.Raw, hint: Any) -> Any:
    return msgspec.msgpack.decode(raw, type=hint)


class _Key(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A registered key; its curve is written only where it is not secp256k1."""

    public: bytes
    role: str
    account: str
    gateway: str | None
    alg: str = SECP256K1


_Keys = tuple[list[_Key], bytes]


def _dump_keys(keys: Directory) -> tuple[list[tuple[object, ...]], bytes]:
    told = [(record.verifying.public, record.role, str(record.account), record.gateway) for record in keys]
    algs = [() if record.verifying.alg == SECP256K1 else (record.verifying.alg,) for record in keys]
    return [(*one, *alg) for one, alg in zip(told, algs, strict=True)], keys.next_seqs().tobytes()


def _load_keys(told: _Keys) -> Directory:
    keys = Directory()
    for one in told[0]:
        gateway = GatewayId(one.gateway) if one.gateway else None
        keys.add(verifying_key(one.public, one.alg), one.role, AccountId(one.account), gateway)
    keys.set_next_seqs(np.frombuffer(told[1], np.int64))
    return keys


_Readings = tuple[list[str], list[tuple[int, bytes, bytes, bytes, bytes]]]


def _dump_readings(table: ReadingTable) -> _Readings:
    slots = [
        (s, slot.import_wh.tobytes(), slot.export_wh.tobytes(), slot.level_wh.tobytes(), slot.quality.tobytes())
        for s, slot in sorted(table.items())
    ]
    return list(table.meters), slots


def _load_readings(told: _Readings) -> ReadingTable:
    table = ReadingTable()
    for meter in told[0]:
        table.join(AssetId(meter))
    for slot_s, import_wh, export_wh, level_wh, quality in told[1]:
        slot = table.at(slot_s)
        count = len(quality)
        if not count <= len(slot.quality) or {len(import_wh), len(export_wh), len(level_wh)} != {4 * count}:
            raise InvalidValue(f"the columns of a slot are equally long, was {count} in the slot at {slot_s} s")
        slot.import_wh[:count] = np.frombuffer(import_wh, np.int32)
        slot.export_wh[:count] = np.frombuffer(export_wh, np.int32)
        slot.level_wh[:count] = np.frombuffer(level_wh, np.int32)
        slot.quality[:count] = np.frombuffer(quality, np.uint8)
    return table


_BySlot = list[tuple[int, list[tuple[str, int]]]]
_Claims = tuple[list[tuple[str, int]], _BySlot, _BySlot]


_FORMS: dict[Any, tuple[Callable[[Any], Any], Any, Callable[[Any], Any]]] = {
    Directory: (_dump_keys, _Keys, _load_keys),
    ReadingTable: (_dump_readings, _Readings, _load_readings),
    Accounts: (Accounts.dump, list[tuple[str, list[int]]], Accounts.load),
    Journal: (Journal.dump, tuple[int, bytes], lambda told: Journal.load(*told)),
    SlotMarket: (SlotMarket.dump, SlotDump, SlotMarket.load),
    Book: (lambda book: list(book.orders()), list[Order], Book.load),
    Neighbours: (Neighbours.items, list[Neighbour], Neighbours),
    Seals: (Seals.items, list[Seal], Seals),
    Auctions: (Auctions.dump, KeptAuctions, Auctions.load),
    Contracted: (Contracted.dump, ContractDump, Contracted.load),
    Crossed: (Crossed.dump, KeptCrossed, Crossed.load),
    Wallets: (Wallets.dump, Kept, Wallets.load),
    Licences: (Licences.dump, KeptLicences, Licences.load),
    Sessions: (Sessions.dump, KeptSessions, Sessions.load),
    StorageClaims: (
        lambda claims: (claims.listing(), claims.minted.listing(), claims.lost.listing()),
        _Claims,
        lambda told: StorageClaims.load(*told),
    ),
}
"""For each kind of part its plain form, that form's type, and the way back."""
