"""Read requests as they arrive, many at once: one canonical form, whole batches, and whose signature each bears."""

import re
from binascii import unhexlify
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook import bodies
from commonwatt.identity.directory import Directory
from commonwatt.kernels.cores import beside, shares
from commonwatt.kernels.envelope import HEAD_END, find_parts
from commonwatt.kernels.keccak import signed_digests
from commonwatt.kernels.secp256k1 import verify_many
from commonwatt.kernels.sha256 import leaf_hashes, run_roots
from commonwatt.market.order_batch import ORDER_BYTES, ORDER_DTYPE, orders_root, read_orders
from commonwatt.market.order_batch import faulty as faulty_orders
from commonwatt.metering.batch import (
    HASH_BYTES,
    ITEM_BYTES,
    ITEM_DTYPE,
    batch_root,
    faulty,
    read_items,
)
from commonwatt.metering.personal import decode_personal, personal_hash
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    AccountId,
    CommunityId,
    InvalidValue,
    KeyId,
    Kind,
    Request,
    Unread,
    remember,
)

SIGNATURE_HEX = 128
RECORD_BYTES = {Kind.READING_BATCH: ITEM_BYTES, Kind.ORDER_BATCH: ORDER_BYTES}
"""Kinds of request that have packed records behind them, of so many bytes each."""
_TAIL_BYTES = len(',"signature":""}') + SIGNATURE_HEX
_AUTHOR = slice(len('{"author":"'), len('{"author":"0x') + 40)
_QUICK = {kind.value.encode(): kind for kind in bodies.KINDS if kind is not Kind.REGISTER}
"""Kinds that are read quickly; a community's founding is looked into before it has a rulebook."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_SHARE = 64
"""Requests that one core takes at least: below, handing them over costs more than checking them."""
FEW = 4
"""Requests below which whole arrays are not worth their making."""


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    author: str
    body: dict[str, object]
    community: str
    kind: Kind
    on_behalf_of: str
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)]
    signature: str


@dataclass(slots=True)
class Arrived:
    """A request that can be read, its body, and whether its signature is good; None where that is not known yet."""

    request: Request
    body: object
    signed: bool | None = None


@dataclass(slots=True)
class Intake:
    """Requests that were read, while their signatures and records are still being checked; ``wait`` for the outcome.

    What cannot be read stands as the error that says why.
    """

    found: list[Arrived | InvalidValue]
    _signed: list[tuple[list[Arrived | InvalidValue], "Future[NDArray[np.bool_]]"]] = field(default_factory=list)
    _whole: list[tuple[list[int], "Future[NDArray[np.bool_]]"]] = field(default_factory=list)

    def checks(self) -> "list[Future[NDArray[np.bool_]]]":
        """Return what `wait` waits for."""
        return [check for _, check in self._signed] + [check for _, check in self._whole]

    def wait(self) -> list[Arrived | InvalidValue]:
        """Return all requests, with their signatures checked where their keys were known when they were read."""
        for arrived, good in self._signed:
            for one, fits in zip(arrived, good.result().tolist(), strict=True):
                assert isinstance(one, Arrived)
                one.signed = fits
        for places, doubtful in self._whole:
            _look_closer(self.found, [places[n] for n in np.flatnonzero(doubtful.result()).tolist()])
        self._signed, self._whole = [], []
        return self.found


def read_many(wires: Sequence[bytes], keys: Directory) -> Intake:
    """Read requests, and begin to check records and the signatures of those whose keys are known, on all cores.

    Args:
        wires: Requests as they arrived.
        keys: Who is registered so far.
    """
    if len(wires) < FEW:
        intake = Intake([_read(wire) for wire in wires])
        _look_closer(intake.found, _with_records(intake.found))
        return intake
    data = np.frombuffer(b"".join(wires), np.uint8)
    ends = np.cumsum([len(wire) for wire in wires])
    parts, signatures, quick = find_parts(data, ends)
    found = [
        (_read_quickly(wire, part) if usual else None) or _read(wire)
        for wire, part, usual in zip(wires, parts.tolist(), quick.tolist(), strict=True)
    ]
    intake = Intake(found)
    places = _with_records(found)
    for at, to in shares(len(places), _SHARE):
        intake._whole.append((places[at:to], beside(_doubtful, [found[n] for n in places[at:to]])))
    pairs = [
        (n, number)
        for n, one in enumerate(found)
        if isinstance(one, Arrived) and quick[n] and (number := keys.quick(one.request.author)) is not None
    ]
    begins = np.concatenate([[0], ends[:-1]])
    for at, to in shares(len(pairs), _SHARE):
        here, numbers = np.array(pairs[at:to], np.int64).T
        told = begins[here], begins[here] + parts[here, HEAD_END] - _TAIL_BYTES
        some = [found[n] for n, _ in pairs[at:to]]
        intake._signed.append((some, beside(_signed, data, *told, keys.points(numbers), signatures[here])))
    return intake


def _with_records(found: Sequence[Arrived | InvalidValue]) -> list[int]:
    return [n for n, one in enumerate(found) if isinstance(one, Arrived) and one.request.items]


def _read(wire: bytes) -> Arrived | InvalidValue:
    """Read a request in whatever letters; it stands as an error that says why it cannot be read."""
    try:
        request = read_request(wire)
        return Arrived(request, bodies.read_body(request.kind, request.body))
    except InvalidValue as error:
        return error


def _read_quickly(wire: bytes, part: list[int]) -> Arrived | None:
    """Read a request whose parts were found; None where it is left to `_read`, which is the oracle of this."""
    body_at, body_end, community, community_end, kind_at, kind_end, name, name_end, seq, head_end = part
    kind = _QUICK.get(wire[kind_at:kind_end])
    written = wire[body_at:body_end]
    body = bodies.read_written(kind, written) if kind else None
    if kind is None or body is None:
        return None
    items = personal = b""
    if isinstance(body, bodies.ReadingBatch | bodies.OrderBatch):
        records = wire[head_end + 1 :]
        size = body.count * RECORD_BYTES[kind]
        if head_end == len(wire) or size > len(records):
            return None
        items, personal = records[:size], records[size:]
    elif head_end != len(wire):
        return None
    request = Request(
        community=CommunityId(wire[community:community_end].decode()),
        kind=kind,
        author=KeyId(wire[_AUTHOR].decode()),
        seq=seq,
        on_behalf_of=AccountId(wire[name:name_end].decode()),
        body=Unread(written),
        signature=wire[head_end - 2 - SIGNATURE_HEX : head_end - 2].decode(),
        items=items,
        personal=personal,
    )
    return Arrived(remember(request, wire[:head_end]), body)


def read_request(wire: bytes) -> Request:
    """Decode a request as it travels; a batch's records are split off, not looked into, see `check_batch`.

    Raises:
        InvalidValue: The bytes are not a request, not canonical, or records are missing.
    """
    head, parted, records = wire.partition(b"\n")
    told = _decode(head)
    each = RECORD_BYTES.get(told.kind, 0)
    count = told.body.get("count") if each else 0
    if not isinstance(count, int) or not 0 <= count * each <= len(records) or bool(parted) != bool(each):
        raise InvalidValue("a batch, and nothing else, has its records behind it")
    return _request(told, head, records[: count * each], records[count * each :])


def read_head(head: bytes) -> Request:
    """Decode a request without the records of a batch, and insist on its one canonical form.

    Raises:
        InvalidValue: The bytes are not a request, or not canonical.
    """
    return _request(_decode(head), head)


def _decode(head: bytes) -> _Wire:
    try:
        told = msgspec.json.decode(head, type=_Wire)
        # The same form as `canonical_json`, four times as fast (a test compares them); numbers beyond +-(2^53-1)
        # and fractions are left to the body's own shape, which knows neither.
        canonical = msgspec.json.encode(told, order="sorted")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidValue(f"not a request: {error}") from error
    if canonical != head or not told.signature.isalnum():
        raise InvalidValue("not in canonical form (RFC 8785)")
    if not _NAME.match(told.on_behalf_of):
        raise InvalidValue("on_behalf_of is the name of an account")
    return told


def _request(told: _Wire, head: bytes, items: bytes = b"", personal: bytes = b"") -> Request:
    request = Request(
        community=CommunityId(told.community),
        kind=told.kind,
        author=KeyId(told.author),
        seq=told.seq,
        on_behalf_of=AccountId(told.on_behalf_of),
        body=told.body,
        signature=told.signature,
        items=items,
        personal=personal,
    )
    return remember(request, head)


def check_batch(request: Request, body: bodies.ReadingBatch | bodies.OrderBatch) -> None:
    """Hold a batch's records against what its head says of them.

    Raises:
        InvalidValue: They are not those that were signed for, or break a rule of their own.
    """
    if isinstance(body, bodies.ReadingBatch):
        _check_personal(request, body)
        root = batch_root(request.items)
    else:
        if request.personal:
            raise InvalidValue("orders are public, and have nothing behind their records")
        root = orders_root(request.items)
    if root.hex() != body.root:
        raise InvalidValue("a batch's records have the root that its head tells")
    if isinstance(body, bodies.ReadingBatch):
        read_items(request.items)
    else:
        read_orders(request.items)


def _check_personal(request: Request, body: bodies.ReadingBatch) -> None:
    # What was erased since is gone without trace; what is there is what was signed for.
    if request.personal:
        if personal_hash(request.personal).hex() != body.personal:
            raise InvalidValue("a batch's personal part has the hash that its head tells")
        decode_personal(request.personal, body.count)


def _look_closer(found: list[Arrived | InvalidValue], places: Sequence[int]) -> None:
    """Hold some batches' records against their heads, and put what is wrong in the place of what was read."""
    for place in places:
        one = found[place]
        assert isinstance(one, Arrived) and isinstance(one.body, bodies.ReadingBatch | bodies.OrderBatch)
        try:
            check_batch(one.request, one.body)
        except InvalidValue as error:
            found[place] = error


def _doubtful(batches: Sequence[Arrived | InvalidValue]) -> NDArray[np.bool_]:
    """Tell of many batches at once which need a closer look: wrong root, wrong record, or a personal part."""
    doubtful = np.zeros(len(batches), np.bool_)
    for shape, dtype, faults in (
        (bodies.ReadingBatch, ITEM_DTYPE, faulty),
        (bodies.OrderBatch, ORDER_DTYPE, faulty_orders),
    ):
        some = [
            (n, one.request, one.body.root)
            for n, one in enumerate(batches)
            if isinstance(one, Arrived) and isinstance(one.body, shape)
        ]
        if some:
            places, requests, roots = zip(*some, strict=True)
            doubtful[list(places)] = _wrong(requests, roots, dtype, faults)
    return doubtful


def _wrong(
    requests: Sequence[Request],
    roots: Sequence[str],
    dtype: np.dtype[np.void],
    faults: Callable[[NDArray[np.void], NDArray[np.int64]], NDArray[np.bool_]],
) -> NDArray[np.bool_]:
    data = np.frombuffer(b"".join(request.items for request in requests), np.uint8).reshape(-1, dtype.itemsize)
    counts = np.array([len(request.items) // dtype.itemsize for request in requests], np.int64)
    begins = np.cumsum(counts) - counts
    found = run_roots(leaf_hashes(data), counts)
    right = np.frombuffer(unhexlify("".join(roots)), np.uint8).reshape(-1, HASH_BYTES)
    wrong: NDArray[np.bool_] = (found != right).any(axis=1)
    wrong |= np.logical_or.reduceat(faults(data.view(dtype)[:, 0], begins), begins)
    return wrong | np.array([bool(request.personal) for request in requests], np.bool_)


def _signed(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    points: NDArray[np.uint8],
    signatures: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Tell of many requests at once which bear their author's signature."""
    return verify_many(points, signed_digests(data, starts, ends, b"}"), signatures)
