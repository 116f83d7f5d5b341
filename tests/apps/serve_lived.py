"""Serve a lived street's app with its door open, as a rehearsal: ``serve_lived.py FOLDER`` prints where it is.

Two homes are asked before each plan, and a plan waits for the word of each. With ``--chain`` it has a chain and takes
channels, and its operator signs a checkpoint soon after whatever comes into the log, as else after each quarter-hour.
"""

import asyncio
import json
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from chained import checkpoint
from lived import TOLD, LivedStreet, asked, follow, open_door

from commonwatt.adapters.chains.deployment import kept
from commonwatt.adapters.door.client import knock
from commonwatt.apps import door_card
from commonwatt.apps.asking import state_of
from commonwatt.apps.chain_channels import TILL
from commonwatt.apps.chain_terms import FOLDER, want_embedded
from commonwatt.apps.demo import let_roles_in
from commonwatt.apps.opening import Opened, Way, open_app
from commonwatt.apps.wiring import open_key
from commonwatt.flows.desk import Desk
from commonwatt.model import AccountId, AssetId, Kind, Outcome

ASKED = {AccountId("member-05"): AssetId("battery-05"), AccountId("member-10"): AssetId("battery-10")}


def main(folder: Path, *, chain: bool) -> None:
    """Serve until ended."""
    if chain:
        want_embedded(folder)
    lived = LivedStreet(**{**json.loads((folder / TOLD).read_text()), "folder": folder})
    opened, ports = threading.Event(), list[int]()

    async def keep() -> None:
        async with open_door(lived) as port:
            ports.append(port)
            opened.set()
            await (_checkpoints(lived, port) if chain else asyncio.Event().wait())

    # In a loop of its own, as a door is in a process of its own.
    threading.Thread(target=lambda: asyncio.run(keep()), daemon=True).start()
    assert opened.wait(60), "the door of the lived street does not open"
    _ask(folder, ports[0], lived.end_s)
    let_roles_in(folder, "127.0.0.1", ports[0])
    # The street's clock stands still at the end of what was lived, as the door's does.
    clock = door_card.CardClock(log_s=lived.end_s, system_ms=int(1_000 * time.time()), until_s=lived.end_s)
    card = door_card.DoorCard(community="street", host="127.0.0.1", port=ports[0], clock=clock)
    with door_card.posted(folder, card):
        open_app(folder, Way(port=0, plain=True, rehearsal=True), _tell)


async def _checkpoints(lived: LivedStreet, port: int) -> None:
    async with follow(lived, port) as community:
        while True:
            _take_vouchers(lived.folder)
            last = community.chronicle.leaves(limit=1)
            if last and last[0].kind is not Kind.CHECKPOINT:
                with suppress(AssertionError):  # something came in between: it is signed over at the next look
                    await checkpoint(community)
            await asyncio.sleep(0.3)


def _take_vouchers(folder: Path) -> None:
    """Say that the community's till takes vouchers, once its contracts are there; no till is open here."""
    made, path = kept(folder / FOLDER), folder / TILL
    if made is None or path.exists() or not (folder / "keys" / "seller.pem").exists():
        return
    payee = open_key(folder, "seller").id
    told = {"chain": "http://127.0.0.1:1", "contract": made.contracts["Channel"], "token": made.contracts["Ergon"]}
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in (told | {"payee": payee}).items()))


def _ask(folder: Path, port: int, now_s: int) -> None:
    """Let homes be asked, and plan for them."""
    desk = Desk(state_of(folder))
    for home, store in ASKED.items():
        ask, plan = asked(store, now_s)
        desk.write(open_key(folder, home), home, Kind.CONSENT, ask)
        desk.write(open_key(folder, "planner"), AccountId("planner"), Kind.SCHEDULE, plan)
    outcomes, _ = knock("127.0.0.1", port, desk.wires)
    assert list(outcomes) == len(ASKED) * [Outcome.BOOKED, Outcome.WAITING], outcomes


def _tell(opened: Opened) -> None:
    print(opened.url, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), chain="--chain" in sys.argv)
