"""Serve the app of a lived street, its door open, on a socket that was handed over, until the process is told to end.

One home is asked before each plan, and a plan waits for its word.
"""

import asyncio
import shutil
import socket
import sys
import threading
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "apps"))

from lived import LivedStreet, lived_once, open_door

from commonwatt.adapters.door.client import knock
from commonwatt.apps.community import Community
from commonwatt.apps.opening import Way, app_of
from commonwatt.apps.web.serving import socket_settings
from commonwatt.apps.wiring import open_key
from commonwatt.flows.desk import Desk
from commonwatt.flows.rulebook import State, bodies
from commonwatt.model import AccountId, ConsentMode, Kind, Outcome, Verb

ASKED = AccountId("member-05")
STORE = "battery-05"
HOUR_S = 3_600


def main() -> None:
    """Serve on the socket whose number is the first argument a copy, in the third, of the second folder's street."""
    door, shared, own = socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
    found = lived_once(shared)
    folder = own / "street-in-a-browser"
    shutil.copytree(found.folder, folder)
    lived = LivedStreet(folder, found.size, found.state_root, found.last_s, found.end_s)
    port = _open(lived)
    origin = f"http://127.0.0.1:{door.getsockname()[1]}"
    community = Community(folder, lambda: lived.end_s, lambda: ("127.0.0.1", port))
    app = app_of(community, Way(plain=True, rehearsal=True), origin)
    _ask(folder, community.state, port, lived.end_s)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", **socket_settings())).run([door])


def _open(lived: LivedStreet) -> int:
    ports, opened = list[int](), threading.Event()

    async def keep() -> None:
        async with open_door(lived) as port:
            ports.append(port)
            opened.set()
            await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(keep()), daemon=True).start()
    opened.wait()
    return ports[0]


def _ask(folder: Path, state: State, port: int, now_s: int) -> None:
    """Let a home be asked, and plan for it."""
    ask = bodies.ConsentBody(mode=ConsentMode.ASK, asset=STORE, decide_s=1_800)
    entry = bodies.InstructionItem(
        verb=Verb.START_CHARGE,
        start_s=now_s + 2 * HOUR_S,
        end_s=now_s + 3 * HOUR_S,
        power_w=1_500,
        expected_wh=1_500,
        reason="charges: the street has more than it uses",
        balance_w=0,
    )
    plan = bodies.ScheduleBody(asset=STORE, issued_s=now_s, instructions=[entry])
    desk = Desk(state)
    desk.write(open_key(folder, ASKED), ASKED, Kind.CONSENT, ask)
    desk.write(open_key(folder, "planner"), AccountId("planner"), Kind.SCHEDULE, plan)
    outcomes, _ = knock("127.0.0.1", port, desk.wires)
    assert list(outcomes) == [Outcome.BOOKED, Outcome.WAITING], outcomes


if __name__ == "__main__":
    main()
