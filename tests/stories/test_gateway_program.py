"""A gateway program and a community's door, both real: whatever is killed or cut, each slot is told once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
import pytest
from community import NAME, NOON, key
from door_client import found_folder
from gateway_child import SLOT_WH, SPEED, install
from test_door_kept import Kept, command
from test_door_kept import until as until_within

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.apps import gateway_folder, gateway_status, gatewaying
from commonwatt.apps.asking import send
from commonwatt.apps.gateway_lines import Lines
from commonwatt.apps.wiring import open_log
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.ledger.leaf import LeafRow
from commonwatt.metering.batch import decode_items
from commonwatt.model import SLOT_SECONDS, ConsentMode, Kind, Outcome, Refused, Verb
from servers.mosquitto import Mosquitto, free_port
from servers.softhsm import SoftToken
from servers.tpm import Tpm

pytestmark = pytest.mark.row("H1")
KILLS = 60 if os.environ.get("COMMONWATT_NIGHTLY") else 3
NUMBER, ASSET = "HEPEK-0007", "anna-cellar"
OPERATOR = key("operator").public.hex()


def until(true: object) -> None:
    """Wait as long as a loaded machine may take to start a program."""
    until_within(true, 60)


class Town(Kept):
    """A door whose clock runs as fast as the gateway's."""

    def __init__(self, folder: Path, began_s: float, lines: Lines) -> None:
        self._began_s, self._ended = began_s, False
        super().__init__(folder, lines=lines)

    @property
    def now_s(self) -> int:
        return 0 if self._ended else NOON + 10 + int((time.time() - self._began_s) * SPEED)

    @now_s.setter
    def now_s(self, now_s: int) -> None:
        self._ended = now_s == 0


@dataclass
class Box:
    """The gateway's process."""

    folder: Path
    path: Path
    began_s: float
    process: subprocess.Popen[str] | None = None
    words: list[str] = field(default_factory=list)

    def start(self) -> None:
        here = Path(__file__).parent
        paths = [str(self.path), str(here), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self.process = subprocess.Popen(
            [sys.executable, str(here / "gateway_child.py"), str(self.folder), str(self.began_s)],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                self.words.append(line.strip())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        return self.process.wait(20)

    def told(self) -> list[str]:
        written = self.folder / f"told-{ASSET}"
        return written.read_text().splitlines() if written.exists() else []


@dataclass
class Scene:
    town_folder: Path
    box: Box
    began_s: float
    lines: Lines
    doors: ExitStack
    town: Town = field(init=False, default=None)  # type: ignore[assignment]  # none before it opens

    def open(self) -> None:
        self.town = Town(self.town_folder, self.began_s, self.lines).open()
        assert self.town.error is None, self.town.error

    def rows(self) -> list[LeafRow]:
        """Return what the gateway signed, as it stands in the log."""
        public = gateway_folder.read_gateway(self.box.folder)
        assert public.number == NUMBER
        with open_log(self.town_folder) as log:
            return [row for row in log.rows() if b'"gateway":"%b"' % NUMBER.encode() in row.body and row.items]

    def slots(self) -> dict[int, int]:
        """Return what the log holds of the gateway's meter: import by slot; each slot is told at most once."""
        told: dict[int, int] = {}
        for row in self.rows():
            for item in decode_items(row.items):
                assert item.start_s not in told or item.flags, item
                told[item.start_s] = item.import_wh
        return told


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as doors:
        town = tmp_path / "town"
        # A slot passes every second: prices and corrections for as long as a loaded machine may take.
        found_folder(town, priced_slots=400, correction_slots=400)
        for name in ("anna", "planner"):
            save_secret(town / "keys" / f"{name}.pem", key(name).to_pem(b"open"))
        install(tmp_path / "path")
        began_s = time.time()
        box = Box(tmp_path / "gateway", tmp_path / "path", began_s)
        lines = Lines(gateways=f"ws://127.0.0.1:{free_port()}")
        found = Scene(town, box, began_s, lines, doors)
        yield found
        if box.process is not None and box.process.poll() is None:
            box.stop(signal.SIGKILL)
        if found.town is not None:
            found.town.close()  # a test that failed would leave a thread behind, for which everybody waits


def move_in(scene: Scene, uplink: str) -> None:
    """Make the gateway, and bring it into the community with the commands that people use."""
    folder = scene.box.folder
    told = command(
        "gateway", "init", folder, "--number", NUMBER, "--community", NAME, "--uplink", uplink,
        "--community-public", OPERATOR,
    )  # fmt: skip
    code, number, public, alg = told.split()
    assert (code, number, alg) == ("0", NUMBER, "secp256k1")
    assert (folder.stat().st_mode & 0o777, (folder / "keys" / "key.pem").stat().st_mode & 0o777) == (0o700, 0o600)
    claim_it(scene, public, alg)


def claim_it(scene: Scene, public: str, alg: str) -> None:
    """Register the gateway, and claim the battery behind it for anna."""
    folder, at = scene.box.folder, ("--port", scene.town.port)
    (folder / "devices.toml").write_text(
        f'[[asset]]\nid = "{ASSET}"\nkind = "battery"\nmax_import_w = 9000\nmax_export_w = 9000\ncapacity_wh = 10000\n'
        f'[[device]]\nasset = "{ASSET}"\ndriver = "slot_counter"\nurl = "none:"\n'
    )
    said = command("gateway", "register", scene.town_folder, "--number", NUMBER, "--public", public, "--alg", alg, *at)
    assert said == f"0 {NUMBER} is registered; community_public = {OPERATOR}\n"
    claim = ("gateway", "claim", scene.town_folder, "anna", folder / "devices.toml", "--number", NUMBER, *at)
    assert command(*claim) == f"0 {ASSET} is anna's behind {NUMBER}\n"
    assert command(*claim) == f"0 {ASSET} is anna's behind {NUMBER}, as before\n"


def whole(told: dict[int, int], least: int) -> bool:
    """Tell whether so many slots in a row were told, all of them with their energy."""
    if len(told) < least:
        return False
    first = min(told)
    return {*told} == {first + n * SLOT_SECONDS for n in range(len(told))} and {*told.values()} == {SLOT_WH}


def test_a_gateway_is_killed_at_any_moment_and_every_slot_is_told_once(scene: Scene) -> None:
    scene.open()
    move_in(scene, str(scene.lines.gateways))
    chance = Random(4)
    for _ in range(KILLS):
        scene.box.start()
        time.sleep(chance.uniform(0.8, 1.8))
        scene.box.stop(signal.SIGKILL)
    scene.box.start()
    begun = len(scene.slots())
    until(lambda: len(scene.slots()) >= max(3, begun + 2))
    assert scene.box.stop() == 0
    rows = scene.rows()
    scene.town.close()
    assert {row.outcome for row in rows} == {Outcome.BOOKED}
    told = scene.slots()
    assert {*told.values()} == {SLOT_WH}, told  # what a killed gateway did not read, the next value tells of
    assert {*told} == set(range(min(told), max(told) + 1, SLOT_SECONDS)), "no slot is missing"
    with open_log(scene.town_folder) as log:
        seqs = [row.seq for row in log.rows() if row.author == rows[0].author]
        replay(log.rows(), NAME)
    assert seqs == list(range(1, len(seqs) + 1)), "no number is used twice, and none is left out"
    assert scene.box.told()[-1] == "closed"


@pytest.mark.row("H6")
def test_a_logged_schedule_of_a_consenting_owner_reaches_the_device_and_its_answer_the_log(scene: Scene) -> None:
    scene.open()
    move_in(scene, str(scene.lines.gateways))
    agreed = bodies.ConsentBody(asset=ASSET, mode=ConsentMode.ALWAYS)
    send(scene.town_folder, "anna", Kind.CONSENT, agreed, "127.0.0.1", scene.town.port)
    scene.box.start()
    until(lambda: any("is open" in word for word in scene.box.words))
    until(lambda: scene.town.now_s % SLOT_SECONDS < 300)
    slot_s = scene.town.now_s // SLOT_SECONDS * SLOT_SECONDS
    entry = bodies.InstructionItem(
        verb=Verb.START_CHARGE, start_s=slot_s, end_s=slot_s + SLOT_SECONDS, power_w=3_000, expected_wh=750, reason="r"
    )
    body = bodies.ScheduleBody(asset=ASSET, issued_s=slot_s, instructions=[entry])
    send(scene.town_folder, "planner", Kind.SCHEDULE, body, "127.0.0.1", scene.town.port)
    until(lambda: any(word.endswith(" 3000 3000") for word in scene.box.told()))

    def acked() -> bool:
        with open_log(scene.town_folder) as log:
            return any(b'"hi_w":3000' in row.body and row.outcome is Outcome.BOOKED for row in log.rows())

    until(acked)
    # The next slot has no schedule of its own: by its own rule the gateway lets it send out nothing.
    until(lambda: not scene.box.told()[-1].endswith(" 3000 3000"))
    status = gateway_status.show(scene.box.folder)
    assert (status.number, status.running, status.devices[0].asset) == (NUMBER, True, ASSET)
    said = command("gateway", "show", scene.box.folder)
    assert "last heard from the community: 2026-06-01" in said and f"{ASSET} (battery, slot_counter)" in said
    assert msgspec.json.decode(command("gateway", "show", scene.box.folder, "--json")[2:])["number"] == NUMBER
    scene.box.stop()
    scene.town.close()


def test_a_network_that_is_cut_delays_readings_and_loses_none(scene: Scene) -> None:
    scene.open()
    move_in(scene, str(scene.lines.gateways))
    scene.box.start()
    until(lambda: len(scene.slots()) >= 1)
    scene.town.close()
    time.sleep(2.2)  # two slots and more
    with OutboxFile(scene.box.folder / "outbox.sqlite") as outbox:
        assert len(outbox) >= 1
    scene.open()
    until(lambda: whole(scene.slots(), 4))
    scene.box.stop()
    scene.town.close()


def test_a_key_that_is_not_the_registered_one_is_not_let_in_and_what_it_signed_waits(scene: Scene) -> None:
    scene.open()
    move_in(scene, str(scene.lines.gateways))
    (scene.box.folder / "keys" / "key.pem").unlink()
    told = gateway_folder.read_gateway(scene.box.folder)
    gateway_folder.open_signer(scene.box.folder, told, create=True)
    scene.box.start()
    until(lambda: any("signs with the key that is registered" in word for word in scene.box.words))
    until(lambda: any("was not let in" in word for word in scene.town.words))
    with pytest.raises(Refused, match="in use by one program"):
        gatewaying.run(scene.box.folder)
    scene.box.stop()
    assert scene.slots() == {}
    scene.town.close()


def test_over_a_broker_readings_go_up_and_are_answered(scene: Scene) -> None:
    with Mosquitto() as broker:
        scene.lines = Lines(mqtt=f"mqtt://127.0.0.1:{broker.port}")
        scene.open()
        move_in(scene, f"mqtt://127.0.0.1:{broker.port}")
        scene.box.start()
        until(lambda: whole(scene.slots(), 2))

        def empty() -> bool:
            with OutboxFile(scene.box.folder / "outbox.sqlite") as outbox:
                return len(outbox) == 0

        until(empty)
        scene.box.stop()
        assert whole(scene.slots(), 2), "and all of it stands in the log"
        scene.town.close()


@pytest.mark.row("H9")
def test_a_gateway_whose_key_is_in_a_tpm_is_killed_and_goes_on(scene: Scene, tpm: tuple[Tpm, SoftToken]) -> None:
    chip, token = tpm
    scene.open()
    words = ["gateway", "init", scene.box.folder, "--number", NUMBER, "--community", NAME, "--uplink"]
    words += [str(scene.lines.gateways), "--community-public", OPERATOR, "--alg", "P-256"]
    words += ["--library", token.library, "--token", token.label, "--label", "story", "--pin", token.pin]
    program = [sys.executable, "-c", "from commonwatt.apps.cli.main import app; app()", *map(str, words)]
    said = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    number, public, alg = said.stdout.split()
    assert (number, alg) == (NUMBER, "P-256")
    assert not (scene.box.folder / "keys" / "key.pem").exists(), "the key is nowhere but in the chip"
    claim_it(scene, public, alg)
    for least in (2, 4):
        chip.make_room()
        scene.box.start()
        until(lambda least=least: len(scene.slots()) >= least)
        scene.box.stop(signal.SIGKILL)
    rows = scene.rows()
    scene.town.close()
    chip.make_room()
    # On a machine that starts it slowly many slots have passed since the kill; what the rules say of such is theirs.
    assert {row.outcome for row in rows} <= {Outcome.BOOKED, Outcome.SET_ASIDE}
    assert rows[0].outcome is Outcome.BOOKED
    with open_log(scene.town_folder) as log:
        state = replay(log.rows(), NAME).state
    assert state.keys[rows[0].author].verifying.alg == "P-256"
