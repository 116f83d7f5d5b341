"""Serve the gallery on a socket that was handed over, until the process is told to end."""

import dataclasses
import resource
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

sys.path.insert(0, str(Path(__file__).parents[1]))

from commonwatt.apps.api.armour import Armour
from commonwatt.apps.web.frame import Chair
from commonwatt.apps.web.serving import socket_settings
from commonwatt.apps.web.shell import House, open_house
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId
from gallery.frozen import FLOW, NOW_S, PLACE, Street
from gallery.pages import PAGES

ANNA = Seat(person="anna", role=Role.MEMBER, account=AccountId("home-001"))
OLAF = Seat(person="olaf", role=Role.OPERATOR)


def gallery(origin: str) -> FastAPI:
    """Return the application at an origin, with doors through which a test moves what pages show."""
    app, street = FastAPI(docs_url=None, redoc_url=None, openapi_url=None), Street()

    def seat_of(request: Request) -> Seat:
        return OLAF if request.cookies.get("seat") == "olaf" else ANNA

    @app.post("/test/move")
    async def move(house_w: int) -> dict[str, int]:
        street.now_s += 1
        street.flow = dataclasses.replace(street.flow, house_w=house_w, at_s=street.now_s)
        live.stir(("reading_batch",))
        return {"computed": street.computed}

    @app.post("/test/still")
    async def still() -> None:
        street.flow, street.now_s = FLOW, NOW_S
        live.stir()

    @app.get("/test/state")
    async def state() -> dict[str, object]:
        return {"done": street.done, "computed": street.computed, "pages": live.pages, "rss_kb": _resident_kb()}

    house = House(
        community=street,
        place=PLACE,
        now_s=lambda: street.now_s,
        as_of_s=lambda: street.now_s,
        stands=lambda: False,
        seat_of=seat_of,
        chairs_of=lambda _: (Chair(seat=ANNA, href="/?as=anna"), Chair(seat=OLAF, href="/operator")),
    )
    app.add_middleware(Armour, origins=(origin,), https=False)
    live = open_house(app, house, PAGES)
    return app


def _resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def main() -> None:
    """Serve on the socket whose number is the first argument."""
    door = socket.socket(fileno=int(sys.argv[1]))
    origin = f"http://127.0.0.1:{door.getsockname()[1]}"
    uvicorn.Server(uvicorn.Config(gallery(origin), **socket_settings())).run([door])


if __name__ == "__main__":
    main()
