"""P36 and P37: how fast requests are verified, and how fast batches become durable."""

import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import coincurve

from benchmarks.figure import Figure, figure
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.scenes import scene
from commonwatt.apps.wiring import paper_day
from commonwatt.flows.intake import check_batch, read_request
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Kind, Outcome

STREET = Path(__file__).parents[1] / "examples" / "street"
ROUNDS = 5
SLOTS = 12
BATCH = 16


def p36() -> Figure:
    """Requests verified per second from bytes, one by one: decoded, canonical form, records, hash, signature checked.

    The requests are those of the street's first slots. The limit is coincurve's own check of a given digest on as
    many signatures, in turn with ours.
    """
    day = paper_day(scene(STREET))
    for count, _ in enumerate(day.run(), 1):
        if count == SLOTS:
            break
    wires = [_wire(row) for row in day.sequencer._store.rows()]
    keys = {record.verifying.id: record.verifying for record in day.sequencer.state.keys}
    rates, limits = [], []
    for _ in range(ROUNDS):
        began = perf_counter()
        for wire in wires:
            request = read_request(wire)
            body = bodies.read_body(request.kind, request.body)
            if isinstance(body, bodies.ReadingBatch):
                check_batch(request, body)
            assert keys[request.author].verify(request.signed_bytes(), request.signature)
        rates.append(len(wires) / (perf_counter() - began))
        limits.append(_coincurve_rate(len(wires)))
    kinds = {kind.value: sum(read_request(wire).kind is kind for wire in wires) for kind in Kind}
    return figure(
        "P36", statistics.median(rates), "requests/s", statistics.median(limits), requests=len(wires), rounds=ROUNDS,
        mean_bytes=sum(map(len, wires)) // len(wires), kinds={k: n for k, n in kinds.items() if n},
        limit_is="coincurve verifying a given digest, one core",
    )  # fmt: skip


def _wire(row: LeafRow) -> bytes:
    return row.body + b"\n" + row.items + row.personal if row.items else row.body


def _coincurve_rate(count: int) -> float:
    key = coincurve.PrivateKey()
    digest = bytes(range(32))
    signature = key.sign(digest, hasher=None)
    public = key.public_key
    began = perf_counter()
    for _ in range(count):
        assert public.verify(signature, digest, hasher=None)
    return count / (perf_counter() - began)


def p37() -> Figure:
    """Batches made durable per second, 16 requests each, against raw fdatasync of as many bytes in the same folder."""
    body = bytes(600)
    signed = SigningKey.from_seed(b"benchmark", "p37").sign(body).encode() + body
    rates, limits = [], []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for turn in range(ROUNDS):
            with SqliteLog(Path(folder) / f"{turn}.sqlite", MasterKey(bytes(32))) as log:
                rates.append(_batches_per_second(log, signed, 200))
            limits.append(_syncs_per_second(Path(folder) / f"{turn}.raw", len(signed) * BATCH, 200))
    return figure(
        "P37", statistics.median(rates), "batches/s", statistics.median(limits), batch=BATCH, bytes=len(signed),
        rounds=ROUNDS, limit_is="write and fdatasync of the same bytes, appended to one file",
    )  # fmt: skip


def _batches_per_second(log: SqliteLog, body: bytes, batches: int) -> float:
    began = perf_counter()
    for batch in range(batches):
        rows = [
            LeafRow(
                position=position,
                stamped_s=0,
                salt=bytes(32),
                body=body,
                outcome=Outcome.BOOKED,
                author="a meter",
                seq=position + 1,
                owner="its owner",
                closes=position % BATCH == BATCH - 1,
            )
            for position in range(batch * BATCH, (batch + 1) * BATCH)
        ]
        log.append(rows, {"batch": str(batch)})
    return batches / (perf_counter() - began)


def _syncs_per_second(path: Path, size: int, count: int) -> float:
    with path.open("wb", buffering=0) as file:
        began = perf_counter()
        for _ in range(count):
            file.write(bytes(size))
            os.fdatasync(file.fileno())
        return count / (perf_counter() - began)
