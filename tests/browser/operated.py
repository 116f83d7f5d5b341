"""Serve the app of a lived street, its door open, on a socket that was handed over, until told to end."""

import asyncio
import shutil
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1] / "apps"))

from lived import LivedStreet, lived_once, open_door

from commonwatt.apps.community import Community
from commonwatt.apps.opening import Way, app_of
from commonwatt.apps.web.serving import socket_settings


def main() -> None:
    """Serve on the socket whose number is the first argument a copy, in the third, of the second folder's street."""
    door, shared, own = socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
    found = lived_once(shared)
    lived = replace(found, folder=own / "street")
    shutil.copytree(found.folder, lived.folder)
    port = _open(lived)
    community = Community(lived.folder, lambda: lived.end_s, lambda: ("127.0.0.1", port))
    origin = f"http://127.0.0.1:{door.getsockname()[1]}"
    app = app_of(community, Way(plain=True, rehearsal=True), origin)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", **socket_settings())).run([door])


def _open(lived: LivedStreet) -> int:
    """Open the door in a loop beside, and return its port."""
    ports, opened = list[int](), threading.Event()

    async def keep() -> None:
        async with open_door(lived) as port:
            ports.append(port)
            opened.set()
            await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(keep()), daemon=True).start()
    opened.wait()
    return ports[0]


if __name__ == "__main__":
    main()
