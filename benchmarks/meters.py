"""P9: interval readings of very many meters, from signed bytes to durable, settled books."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.submitting import AT_ONCE, submit, written
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey, VerifyingKey, sign_request
from commonwatt.kernels.cores import beside, shares
from commonwatt.kernels.secp256k1 import verify_many
from commonwatt.metering.batch import ITEM_DTYPE
from commonwatt.model import SLOT_SECONDS, AccountId, AssetKind, CommunityId, KeyId, Kind, Outcome, Request

NAME = "meters"
SEED = b"meters"
FOUNDED_S = 1_790_000_100
GATEWAYS = int(os.environ.get("COMMONWATT_P9_GATEWAYS", "100000"))
SECONDS = float(os.environ.get("COMMONWATT_P9_SECONDS", "60"))
FIRST_S = FOUNDED_S // SLOT_SECONDS * SLOT_SECONDS
"""The slot of the founding."""
IMPORT, EXPORT = 300_000, 100_000


def key(name: str) -> SigningKey:
    return SigningKey.from_seed(SEED, name)


def signed(key: SigningKey, kind: Kind, seq: int, account: str, body: object, items: bytes = b"") -> bytes:
    request = Request(
        community=CommunityId(NAME),
        kind=kind,
        author=KeyId(key.id),
        seq=seq,
        on_behalf_of=AccountId(account),
        body=bodies.write_body(body),  # type: ignore[arg-type]
        items=items,
    )
    return sign_request(request, key).wire_bytes()


def founding() -> list[bytes]:
    """Return the first requests of the operator's desk: the community, and the grid's feeder with its gateway."""
    operator = key("operator")
    charter = bodies.RegisterCommunity(
        public=operator.public.hex(), timezone="UTC", b_max_wh=10_000, grace_slots=96, gate_s=60, correction_slots=32
    )
    gateway = bodies.RegisterGateway(gateway="gw-feeder", public=key("gw-feeder").public.hex(), alg="secp256k1")
    told = [charter, *(_member(role, account, role) for role, account in (("oracle", "oracle"), ("dso", "grid")))]
    wires = [signed(operator, Kind.REGISTER, seq, "operator", body) for seq, body in enumerate([*told, gateway], 1)]
    return [*wires, signed(key("dso"), Kind.REGISTER, 1, "grid", asset("feeder", "gw-feeder", AssetKind.FEEDER))]


def registered(first: int, last: int) -> list[bytes]:
    """Return the registrations of some gateways and members, the operator's next requests after the founding."""
    operator, wires = key("operator"), []
    for n in range(first, last):
        name = f"gw-{n}"
        gateway = bodies.RegisterGateway(gateway=name, public=key(name).public.hex(), alg="secp256k1")
        for more, body in enumerate((gateway, _member(f"member-{n}", f"member-{n}", "member"))):
            wires.append(signed(operator, Kind.REGISTER, 5 + 2 * n + more, "operator", body))
    return wires


def _member(name: str, account: str, role: str) -> bodies.RegisterKey:
    return bodies.RegisterKey(public=key(name).public.hex(), alg="secp256k1", role=role, account=account)


def claims(first: int, last: int) -> list[bytes]:
    """Return the claims of some members: each a connection behind its own gateway."""
    return [
        signed(key(f"member-{n}"), Kind.REGISTER, 1, f"member-{n}", asset(f"home-{n}", f"gw-{n}", AssetKind.CONNECTION))
        for n in range(first, last)
    ]


def asset(name: str, gateway: str, kind: AssetKind) -> bodies.RegisterAsset:
    watts = 20_000 if kind is AssetKind.CONNECTION else 10**9
    return bodies.RegisterAsset(
        asset=name, gateway=gateway, register=0, asset_kind=kind, zone="z", max_import_w=watts, max_export_w=watts
    )


def batches(first: int, last: int, round_number: int, slots: int) -> list[bytes]:
    """Return one batch of each of some gateways: so many slots in a row, of the round's number."""
    start_s = FIRST_S + SLOT_SECONDS * round_number * slots
    wires = []
    chance = np.random.default_rng(round_number * 1_000_003 + first)
    for n in range(first, last):
        items = np.zeros(slots, ITEM_DTYPE)
        items["start_s"] = start_s + SLOT_SECONDS * np.arange(slots)
        items["seconds"] = SLOT_SECONDS
        items["import_wh"] = chance.integers(0, 400, slots)
        items["export_wh"] = chance.integers(0, 60, slots)
        items["level_wh"] = -1
        packed = items.tobytes()
        name = f"gw-{n}"
        body = bodies.batch_head(name, packed)
        wires.append(signed(key(name), Kind.READING_BATCH, round_number + 1, name, body, packed))
    return wires


def feeder_batch(round_number: int, slots: int) -> bytes:
    start_s = FIRST_S + SLOT_SECONDS * round_number * slots
    return feeder_batch_at(round_number + 1, start_s, slots, 10_000_000)


def feeder_batch_at(seq: int, start_s: int, slots: int, import_wh: int) -> bytes:
    """Return the feeder's readings of so many slots from one on, each of so much import."""
    items = np.zeros(slots, ITEM_DTYPE)
    items["start_s"] = start_s + SLOT_SECONDS * np.arange(slots)
    items["seconds"] = SLOT_SECONDS
    items["import_wh"] = import_wh
    items["level_wh"] = -1
    packed = items.tobytes()
    body = bodies.batch_head("gw-feeder", packed)
    return signed(key("gw-feeder"), Kind.READING_BATCH, seq, "gw-feeder", body, packed)


def found(sequencer: Sequencer, pool: ProcessPoolExecutor, gateways: int) -> None:
    """Bring everyone into the log."""
    assert {*sequencer.submit(founding(), FOUNDED_S)} == {Outcome.BOOKED}
    for make in (registered, claims):
        submit(sequencer, ((wires, FOUNDED_S) for wires in written(pool, make, gateways)))


def prices(slots: int, rounds: int) -> Iterator[bytes]:
    count = slots * rounds + 2
    for n, begin in enumerate(range(0, count, 400)):
        body = bodies.FactBody(
            start_s=FIRST_S + begin * SLOT_SECONDS, prices=[(IMPORT, EXPORT)] * min(400, count - begin)
        )
        yield signed(key("oracle"), Kind.FACT, n + 1, "oracle", body)


def p9(slots: int = 16, seconds: float = SECONDS, gateways: int = GATEWAYS) -> Figure:
    """Interval readings per second, 16 per signature: verified, applied, settled, durable, sustained for a minute.

    The limit is libsecp256k1 checking as many signatures on all cores, with nothing else done.
    """
    rounds = max(1, round(seconds * 333_334 / slots / gateways))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, ProcessPoolExecutor() as pool:
        log = SqliteLog(Path(folder) / "log.sqlite", MasterKey(bytes(32)))
        sequencer = Sequencer(log, NAME, lambda position: position.to_bytes(32))
        began = perf_counter()
        found(sequencer, pool, gateways)
        assert {*sequencer.submit(list(prices(slots, rounds)), FOUNDED_S)} == {Outcome.BOOKED}
        set_up_s = perf_counter() - began
        commits = [
            (wires, FIRST_S + SLOT_SECONDS * slots * (number + 1))
            for number in range(rounds)
            for wires in ([feeder_batch(number, slots)], *written(pool, batches, gateways, number, slots))
        ]
        cpu_s = process_time()
        spent_s, slowest_s = submit(sequencer, commits)
        cpu_s = process_time() - cpu_s
        settled = (sequencer.state.settled_to_s - FIRST_S) // SLOT_SECONDS
        assert settled == slots * rounds, (settled, slots, rounds)
        bytes_on_disk = (Path(folder) / "log.sqlite").stat().st_size
        log.close()
    count = rounds * gateways * slots
    return figure(
        f"P9-{slots}" if slots != 16 else "P9", count / spent_s, "readings/s", _limit() * slots,
        slots_per_signature=slots, gateways=gateways,
        readings=count, seconds=round(spent_s, 1), cpu_seconds=round(cpu_s, 1),
        slowest_commit_s=round(slowest_s, 2), at_once=AT_ONCE,
        entries=sequencer.state.journal.count, set_up_s=round(set_up_s, 1), megabytes=bytes_on_disk // 10**6,
        limit_is="libsecp256k1 on all cores, nothing else",
    )  # fmt: skip


def p9_single() -> Figure:
    """The same with one reading per signature: what a meter costs that signs each by itself."""
    return p9(1, SECONDS / 3)


def p9_day() -> Figure:
    """The same with 96 readings per signature: a day at once."""
    return p9(96)


def _limit(count: int = 40_000) -> float:
    """Return how many signatures per second all cores check."""
    signer = key("limit")
    digests = np.zeros((count, 32), np.uint8)
    points = np.tile(np.frombuffer(VerifyingKey(signer.public).point, np.uint8), (count, 1))
    raw = np.frombuffer(signer._key.sign_recoverable(bytes(32), hasher=None)[:64], np.uint8)
    signatures = np.tile(raw, (count, 1))
    began = perf_counter()
    waits = [beside(verify_many, points[at:to], digests[at:to], signatures[at:to]) for at, to in shares(count, 64)]
    assert all(wait.result().all() for wait in waits)
    return count / (perf_counter() - began)
