"""P14 and P5: individually signed requests over loopback, answered once they are durable."""

import asyncio
import os
import selectors
import socket
import statistics
import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from benchmarks.figure import Figure, figure
from benchmarks.meters import FOUNDED_S, NAME, asset, key, prices, signed
from commonwatt.adapters.door.server import Door
from commonwatt.adapters.door.wire import OUTCOMES, frame, read_outcomes, split_answers
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import VerifyingKey
from commonwatt.kernels.slot_orders import MOST_EACH
from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, AssetKind, Commodity, Kind, Outcome, Side

MEMBERS = 1_000
REQUESTS = int(os.environ.get("COMMONWATT_P14_REQUESTS", "400000"))
CONNECTIONS = 8
TRADED_S = FOUNDED_S // SLOT_SECONDS * SLOT_SECONDS + 2 * SLOT_SECONDS
OUTSTANDING = 48
"""Requests that a client waits for at once, on each connection."""


def founding(members: int) -> list[bytes]:
    """Return the requests that bring a community of prepaid members into its log."""
    operator, seq = key("operator"), 2
    charter = bodies.RegisterCommunity(
        public=operator.public.hex(), timezone="UTC", b_max_wh=10_000, grace_slots=4, gate_s=60, correction_slots=32
    )
    wires = [signed(operator, Kind.REGISTER, 1, "operator", charter)]
    roles = [("payment", "payment", "payment")]
    for name, role, account in roles + [(f"member-{n}", "member", f"member-{n}") for n in range(members)]:
        body = bodies.RegisterKey(public=key(name).public.hex(), alg="secp256k1", role=role, account=account)
        wires.append(signed(operator, Kind.REGISTER, seq, "operator", body))
        seq += 1
    for n in range(members):
        paid = wallet_bodies.PurchaseBody(account=f"member-{n}", amount_micro=10**9, reference=f"first-{n}")
        wires.append(signed(key("payment"), Kind.PURCHASE, n + 1, "payment", paid))
    return wires


def transfers(member: int, count: int, first: int = 0) -> list[bytes]:
    """Return one member's transfers to the next, from one up to another."""
    give = wallet_bodies.Give(commodity=Commodity.ERGON, target=f"member-{(member + 1) % MEMBERS}", amount=1_000)
    name = f"member-{member}"
    return [signed(key(name), Kind.TRANSFER, seq, name, give) for seq in range(first + 1, count + 1)]


def client(port: int, wires: list[list[bytes]], pipe: Connection) -> None:
    """Send requests on some connections, a window at a time; tell latencies, outcomes and own CPU seconds."""
    pipe.send("ready")
    pipe.recv()
    latencies, booked = list[float](), 0
    began_cpu = process_time()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in wires]
    sent: list[deque[float]] = [deque() for _ in wires]
    places, buffers = [0] * len(wires), [bytearray() for _ in wires]
    left = sum(map(len, wires))
    selector = selectors.DefaultSelector()
    for n, one in enumerate(sockets):
        selector.register(one, selectors.EVENT_READ, n)
    while left:
        for n, own in enumerate(wires):
            free = min(OUTSTANDING - len(sent[n]), len(own) - places[n])
            if free >= min(OUTSTANDING // 2, len(own) - places[n]) and free:
                now = perf_counter()
                sent[n].extend([now] * free)
                sockets[n].sendall(b"".join(map(frame, own[places[n] : places[n] + free])))
                places[n] += free
        for event, _ in selector.select():
            n = event.data
            buffers[n] += sockets[n].recv(65_536)
            for kind, content in split_answers(buffers[n]):
                if kind == OUTCOMES:
                    now = perf_counter()
                    outcomes = read_outcomes(content)
                    booked += outcomes.count(Outcome.BOOKED)
                    left -= len(outcomes)
                    latencies += [now - sent[n].popleft() for _ in outcomes]
    pipe.send((latencies, booked, process_time() - began_cpu))


def orders(member: int, count: int) -> list[bytes]:
    """Return one member's orders for now, a few a slot; every other member sells."""
    name, chance = f"member-{member}", Random(member)
    wires = []
    for n in range(count):
        body = order_bodies.SlotOrder(
            side=Side.ASK if member % 2 else Side.BID,
            energy_wh=chance.randint(1, 400),
            price_micro_per_kwh=chance.randint(100_000, 300_000),
            slot_s=TRADED_S + n // MOST_EACH * SLOT_SECONDS,
            now=True,
        )
        wires.append(signed(key(name), Kind.ORDER, n + 2, name, body))  # a claim came first
    return wires


def connected(members: int) -> list[bytes]:
    """Return the requests that give members a connection each, and slots their prices."""
    operator, seq = key("operator"), members + 3
    oracle = bodies.RegisterKey(public=key("oracle").public.hex(), alg="secp256k1", role="oracle", account="oracle")
    wires = [signed(operator, Kind.REGISTER, seq, "operator", oracle)]
    for n in range(members):
        gateway = bodies.RegisterGateway(gateway=f"gw-{n}", public=key(f"gw-{n}").public.hex(), alg="secp256k1")
        wires.append(signed(operator, Kind.REGISTER, seq + 1 + n, "operator", gateway))
        claim = asset(f"home-{n}", f"gw-{n}", AssetKind.CONNECTION)
        wires.append(signed(key(f"member-{n}"), Kind.REGISTER, 1, f"member-{n}", claim))
    return [*wires, *prices(SLOTS_PER_DAY, 3)]


def p14(requests: int = REQUESTS) -> Figure:
    """Individually signed transfers per second: over loopback, verified, logged, applied, durable before the answer.

    The limit is two processes hashing (EIP-191) and verifying the same bytes, with nothing else done.
    """
    return _measure("P14", requests, transfers, [])


def p5(requests: int = REQUESTS) -> Figure:
    """Individually signed orders per second: over loopback, verified, matched in the open market, durable, answered.

    The limit is P14's: two processes hashing and verifying the same bytes.
    """
    return _measure("P5", requests, orders, connected(MEMBERS))


def _measure(name: str, requests: int, make: Callable[[int, int], list[bytes]], first: list[bytes]) -> Figure:
    each = requests // MEMBERS
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, ProcessPoolExecutor() as pool:
        log = SqliteLog(Path(folder) / "log.sqlite", MasterKey(bytes(32)))
        sequencer = Sequencer(log, NAME, lambda position: position.to_bytes(32))
        assert {*sequencer.submit([*founding(MEMBERS), *first], FOUNDED_S)} == {Outcome.BOOKED}
        by_member = list(pool.map(make, range(MEMBERS), [each] * MEMBERS, chunksize=20))
        share = MEMBERS // CONNECTIONS
        # A connection carries some members; their requests alternate, each member's in order.
        wires = [
            [wire for seq in range(each) for own in by_member[at : at + share] for wire in own[seq : seq + 1]]
            for at in range(0, share * CONNECTIONS, share)
        ]
        limit = _limit(pool, wires[0][:20_000])
        spent_s, cpu_s, (latencies, booked, client_cpu_s) = asyncio.run(_drive(sequencer, wires))
        market = sequencer.state.slot_market
        trades = sum(len(market.trades(slot_s)) for slot_s in market.slots())
        log.close()
    count = len(latencies)
    assert booked == count, (booked, count)
    latencies.sort()
    return figure(
        name, count / spent_s, "requests/s", limit, requests=count, seconds=round(spent_s, 1), trades=trades,
        p50_ms=round(1e3 * statistics.median(latencies), 1), p99_ms=round(1e3 * latencies[int(count * 0.99)], 1),
        server_cpu_s=round(cpu_s, 1), client_cpu_s=round(client_cpu_s, 1), connections=CONNECTIONS,
        outstanding=CONNECTIONS * OUTSTANDING, goals="0.75 of the limit, p99 50 ms",
        limit_is="two processes doing the EIP-191 hash and libsecp256k1's check of the same bytes",
    )  # fmt: skip


async def _drive(sequencer: Sequencer, wires: list[list[bytes]]) -> tuple[float, float, tuple[list[float], int, float]]:
    door = Door(sequencer, key("operator"), lambda: FOUNDED_S, lambda: None)
    server = await door.listen("127.0.0.1", 0)
    ours, theirs = get_context("spawn").Pipe()
    port = server.sockets[0].getsockname()[1]
    process = get_context("spawn").Process(target=client, args=(port, wires, theirs))
    process.start()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, ours.recv)
    began, began_cpu = perf_counter(), process_time()
    ours.send("go")
    told = await loop.run_in_executor(None, ours.recv)
    spent_s, cpu_s = perf_counter() - began, process_time() - began_cpu
    process.join()
    server.close()
    return spent_s, cpu_s, told


def _limit(pool: ProcessPoolExecutor, wires: list[bytes]) -> float:
    """Return how many requests per second two processes hash and check."""
    rates = list(pool.map(_check_all, [wires] * 2))
    return sum(rates)


def _check_all(wires: list[bytes]) -> float:
    told = [read_head(wire) for wire in wires]
    names = {f"member-{n}": key(f"member-{n}") for n in range(MEMBERS)}
    keys = {one.on_behalf_of: VerifyingKey(names[one.on_behalf_of].public) for one in told}
    work = [(keys[one.on_behalf_of], one.signed_bytes(), one.signature) for one in told]
    began = perf_counter()
    assert all(verifying.verify(message, signature) for verifying, message, signature in work)
    return len(work) / (perf_counter() - began)
