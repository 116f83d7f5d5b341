"""P24: gateways' batches over MQTT, through a real Mosquitto into the log, beside the same ones without a network."""

import asyncio
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time, sleep

from benchmarks.figure import Figure, figure
from benchmarks.meters import FIRST_S, NAME, batches, found, key
from benchmarks.submitting import AT_ONCE, submit, written
from commonwatt.adapters.door.server import Door
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.adapters.uplink import mqtt_wire
from commonwatt.adapters.uplink.mqtt_host import MqttHost
from commonwatt.adapters.uplink.translate import Place, topic
from commonwatt.flows.gateway.letters import open_letter, pack
from commonwatt.flows.gateway.post_office import PostOffice
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import SLOT_SECONDS, Outcome

GATEWAYS = int(os.environ.get("COMMONWATT_P24_GATEWAYS", "20000"))
ROUNDS = int(os.environ.get("COMMONWATT_P24_ROUNDS", "6"))
SLOTS = 16
SERVERS = Path(__file__).parents[1] / "scripts" / "servers.sh"
OUTSTANDING = 4_096
"""Bursts that may wait for their answers at once, of all gateways; each gateway waits for its own."""


class Broker:
    """A Mosquitto of this benchmark's own on loopback."""

    def __init__(self) -> None:
        with closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        words = [str(SERVERS), "mosquitto", str(self.port), "allow_anonymous true", "max_inflight_messages 0",
                 "max_queued_messages 0"]  # fmt: skip
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._folder = self._process.stdout.readline().strip()
        assert self._folder, "there is no Mosquitto, scripts/servers.sh install brings it"
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                sleep(0.02)

    def cpu_s(self) -> float:
        """Return what the broker has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(15)
        shutil.rmtree(self._folder)


def crowd(port: int, left: list[tuple[str, bytes]], pipe: Connection) -> None:
    """Be many gateways on one connection: each says its next burst once the last is answered; check what comes."""
    line, buffer, waiting = _connected(port), bytearray(), dict[str, tuple[str, float]]()
    pipe.send("ready")
    pipe.recv()
    began_cpu, latencies, sample = process_time(), list[float](), list[tuple[str, bytes]]()
    line.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(line, selectors.EVENT_READ)
    at, number, sending, booked = 0, 0, bytearray(), 0
    while at < len(left) or waiting:
        now = perf_counter()
        while at < len(left) and len(waiting) < OUTSTANDING and left[at][0] not in waiting:
            name, burst = left[at]
            number = number % 65_535 + 1
            sending += mqtt_wire.publish(number, topic(NAME, name, "requests"), burst)
            waiting[name] = (sha256(burst).hexdigest(), now)
            at += 1
        with suppress(BlockingIOError):
            del sending[: line.send(sending)]
        selector.modify(line, selectors.EVENT_READ | (selectors.EVENT_WRITE if sending else 0))
        selector.select(1)
        try:
            buffer += line.recv(1 << 20)
        except BlockingIOError:
            continue
        now, arrived = perf_counter(), list[int]()
        for first, packet in mqtt_wire.split(buffer):
            if first & 0xF0 != mqtt_wire.PUBLISH:
                continue
            told, packet_id, payload = mqtt_wire.published(first, packet)
            assert packet_id is not None
            arrived.append(packet_id)
            name = told.split("/")[3]
            digest, since = waiting.pop(name)
            assert digest.encode() in payload
            booked += payload.count(b'"BOOKED"')
            latencies.append(now - since)
            if len(latencies) % 500 == 1:
                sample.append((name, payload))
        sending += mqtt_wire.pubacks(arrived)
    pipe.send((latencies, booked, process_time() - began_cpu, sample))


def _connected(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.sendall(mqtt_wire.connect("crowd", 600))
    line.sendall(mqtt_wire.subscribe(1, topic(NAME, "+", "answers")))
    buffer, packets = bytearray(), 0
    while packets < 2:
        buffer += line.recv(65_536)
        packets += len(mqtt_wire.split(buffer))
    return line


def p24() -> Figure:
    """Gateways' batches per second over MQTT, one a message: verified, logged, durable, answered under a signature.

    The limit is what the same log takes of as many batches handed in directly, in the same run, in turn with it.
    """
    return _measure("P24", GATEWAYS, 1)


def p24_burst() -> Figure:
    """The same with 16 batches a message, as gateways send that come back from hours without a network."""
    return _measure("P24-BURST", GATEWAYS // 4, 16)


def _measure(name: str, gateways: int, together: int) -> Figure:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, ProcessPoolExecutor() as pool:
        log = SqliteLog(Path(folder) / "log.sqlite", MasterKey(bytes(32)))
        sequencer = Sequencer(log, NAME, lambda position: position.to_bytes(32))
        found(sequencer, pool, gateways)
        direct, spent, told = list[float](), list[float](), list[tuple[list[float], int, float, float, float]]()
        direct_cpu_s, broker, number = 0.0, Broker(), 0
        try:
            for _ in range(ROUNDS):
                made = [list[bytes](), list[bytes]()]
                for half in made:
                    for _ in range(together):
                        half += [wire for wires in written(pool, batches, gateways, number, SLOTS) for wire in wires]
                        number += 1
                stamped_s, count = FIRST_S + SLOT_SECONDS * SLOTS * number, len(made[0])
                pieces = [(made[0][at : at + AT_ONCE], stamped_s) for at in range(0, count, AT_ONCE)]
                cpu_s = process_time()
                direct.append(count / submit(sequencer, pieces)[0])
                direct_cpu_s += process_time() - cpu_s
                bursts = [(f"gw-{n}", pack(made[1][n::gateways])) for n in range(gateways)]
                seconds, *more = asyncio.run(_drive(sequencer, broker, bursts, partial(int, stamped_s)))
                told.append(tuple(more))  # type: ignore[arg-type]  # as `_drive` returns them
                spent.append(count / seconds)
        finally:
            broker.stop()
        log.close()
    latencies = sorted(latency for one in told for latency in one[0])
    assert sum(one[1] for one in told) == gateways * ROUNDS * together, "all are booked"
    return figure(
        name, statistics.median(spent), "batches/s", statistics.median(direct), gateways=gateways, rounds=ROUNDS,
        readings_a_batch=SLOTS, batches_a_message=together, p50_ms=round(1e3 * statistics.median(latencies), 1),
        p99_ms=round(1e3 * latencies[int(len(latencies) * 0.99)], 1), direct_cpu_s=round(direct_cpu_s, 1),
        door_and_bridge_cpu_s=round(sum(one[2] for one in told), 1),
        broker_cpu_s=round(sum(one[3] for one in told), 1), gateways_cpu_s=round(sum(one[4] for one in told), 1),
        goal="0.9 of the limit", by_round=[round(one) for one in spent], direct_by_round=[round(x) for x in direct],
        limit_is=f"the same log, as many batches, {AT_ONCE} a commit, no network; all on the same cores",
    )  # fmt: skip


async def _drive(
    sequencer: Sequencer, broker: Broker, left: list[tuple[str, bytes]], now_s: Callable[[], int]
) -> tuple[float, list[float], int, float, float, float]:
    door = Door(sequencer, key("operator"), now_s, lambda: None)

    async def submit_all(wires: list[bytes]) -> list[Outcome]:
        return await door.submit(wires, promised=False)

    office = PostOffice(lambda: sequencer.state, key("operator"), submit_all, lambda: 1_000 * now_s())
    open_line = asyncio.Event()
    host = MqttHost(
        office, Place(scheme="mqtt", host="127.0.0.1", port=broker.port), None,
        lambda word: open_line.set() if "is open" in word else None,
    )  # fmt: skip
    bridge = asyncio.create_task(host.run())
    await open_line.wait()
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=crowd, args=(broker.port, left, theirs))
    process.start()
    theirs.close()  # should it die, its end of the pipe ends with it
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, ours.recv)
    cpu_s, broker_s, began = process_time(), broker.cpu_s(), perf_counter()
    ours.send("go")
    latencies, booked, crowd_s, sample = await loop.run_in_executor(None, ours.recv)
    seconds, cpu_s, broker_s = perf_counter() - began, process_time() - cpu_s, broker.cpu_s() - broker_s
    process.join()
    bridge.cancel()
    await asyncio.gather(bridge, return_exceptions=True)
    for name, letter in sample:
        open_letter(letter, VerifyingKey(key("operator").public), NAME, name)
    return seconds, latencies, booked, cpu_s, broker_s, crowd_s
