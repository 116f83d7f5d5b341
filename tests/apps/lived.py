"""A street that lived some hours, in a folder as a run leaves it: what the app's tests look at, and write to."""

import asyncio
import fcntl
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from commonwatt.adapters.door.server import Door, LookOn
from commonwatt.adapters.stores.keyfile import passphrase, save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.accepting import desk_keys
from commonwatt.apps.community import Community
from commonwatt.apps.scenes import ROLES, Scene, scene
from commonwatt.apps.wiring import MASTER_KEY, paper_day
from commonwatt.flows.prove import trust_file
from commonwatt.flows.replay import community_of
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.flows.trading_day import Day
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.checkpoint import vkey
from commonwatt.model import SLOT_SECONDS, AssetId, ConsentMode, Verb, epoch

STREET = Path(__file__).parents[2] / "examples" / "street"
SLOTS = 20
TOLD = "told.json"
HOUR_S = 3_600


@dataclass(frozen=True)
class LivedStreet:
    """Where it lies, how far its log came, to which state, and when the last slot that it lived ended."""

    folder: Path
    size: int
    state_root: str
    last_s: int
    end_s: int


def live(folder: Path, slots: int = SLOTS, starts: str = "12:00") -> LivedStreet:
    """Live some slots of the example street on paper, and leave log and keys in a folder."""
    drawn = scene(STREET)
    stage = Scene(replace(drawn.street, starts=starts), drawn.recorded)
    day = paper_day(stage)
    passed = day.run()
    for _ in range(slots):
        next(passed)
    keep_keys(day, stage, folder)
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        paper = day.sequencer._store
        log.append(list(paper.rows()), paper.marks(), dict(paper._tiles))
    found, end_s = day.sequencer, epoch(stage.street.span.start) + slots * SLOT_SECONDS
    told = LivedStreet(folder, len(found.tree), found.state.root().hex(), found.last_s, end_s)
    (folder / TOLD).write_text(json.dumps({**asdict(told), "folder": str(folder)}))
    return told


def lived_once(shared: Path) -> LivedStreet:
    """Return the street that the test processes share: the first one lives it, the others wait for that."""
    folder = shared / "lived-street"
    with (shared / "lived-street.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / TOLD).exists():
            folder.mkdir()
            return live(folder)
    told = json.loads((folder / TOLD).read_text())
    return LivedStreet(**{**told, "folder": Path(told["folder"])})


def keep_keys(day: Day, stage: Scene, folder: Path) -> None:
    """Leave everybody's keys in the folder, as a run does."""
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    words, cast = passphrase(keys / "passphrase"), day.cast
    named = {role: getattr(cast, role) for role in ROLES} | {str(name): key for name, key in cast.members.items()}
    for name, key in named.items():
        assert isinstance(key, SigningKey)
        save_secret(keys / f"{name}.pem", key.to_pem(words))
    save_secret(keys / "note.pem", cast.note.to_pem(words))
    name = stage.street.community
    trust = trust_file(cast.operator.public, vkey(name, cast.note.public), name, rehearsal=True)
    (folder / "community.pub").write_text(trust)


def lived_again(lived: LivedStreet, factory: pytest.TempPathFactory) -> LivedStreet:
    """Return a copy of a lived street, for all tests of a module that write to it together."""
    folder = factory.mktemp("again") / "street"
    shutil.copytree(lived.folder, folder)
    return replace(lived, folder=folder)


@asynccontextmanager
async def open_door(lived: LivedStreet, look_on: LookOn = lambda many, ways: lambda: None) -> AsyncIterator[int]:
    """Open the door of a lived street in this loop, at the log's own time, and tell its port."""
    with SqliteLog(lived.folder / "log.sqlite", MasterKey.in_file(lived.folder / MASTER_KEY)) as log:
        sequencer = Sequencer(log, community_of(log), lambda position: position.to_bytes(32))
        operator, _ = desk_keys(lived.folder)
        now_s = max(lived.end_s, sequencer.last_s)
        door = Door(sequencer, operator, lambda: now_s, lambda: None, look_on)
        server = await door.listen("127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await door.drain("the test is over")
            sequencer.close()


@asynccontextmanager
async def open_community(
    lived: LivedStreet, look_on: LookOn = lambda many, ways: lambda: None
) -> AsyncIterator[Community]:
    """Open the door of a lived street and follow its log, in this loop."""
    async with open_door(lived, look_on) as port, follow(lived, port) as community:
        yield community


@asynccontextmanager
async def follow(lived: LivedStreet, port: int) -> AsyncIterator[Community]:
    """Follow a street's log beside whoever has its door open."""
    community = Community(lived.folder, lambda: lived.end_s, lambda: ("127.0.0.1", port))
    community.catch_up()
    following = asyncio.ensure_future(community.follow())
    try:
        yield community
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        community.close()


def asked(store: AssetId, now_s: int) -> tuple[bodies.ConsentBody, bodies.ScheduleBody]:
    """Return how an owner wants to be asked before each plan, and a plan that waits for their word."""
    entry = bodies.InstructionItem(
        verb=Verb.START_CHARGE,
        start_s=now_s + 2 * HOUR_S,
        end_s=now_s + 3 * HOUR_S,
        power_w=1_500,
        expected_wh=1_500,
        reason="charges: the street has more than it uses",
        balance_w=0,
    )
    ask = bodies.ConsentBody(mode=ConsentMode.ASK, asset=store, decide_s=1_800)
    return ask, bodies.ScheduleBody(asset=store, issued_s=now_s, instructions=[entry])
