"""`commonwatt stations` does what its guide shows, at a simulated station over a real socket."""

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

from ocpp_yard import now
from test_ocpp_managing import play
from typer.testing import CliRunner

from commonwatt.adapters.devices.ocpp.control import controlled
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.tokens import Token, Tokens
from commonwatt.apps.cli.main import app
from commonwatt.model import epoch
from commonwatt.simulator.devices.ocpp_station import OcppStation


def test_the_command_lists_reserves_cancels_and_forgives_and_says_what_is_wrong(tmp_path: Path) -> None:
    tokens = Tokens()
    tokens.put([Token(id="ANNA", expires_s=epoch(now()) + 86_400)])

    async def told(line: str) -> tuple[int, Any]:
        words = shlex.split(line.replace("FOLDER", str(tmp_path)))
        ran = await asyncio.to_thread(CliRunner().invoke, app, ["stations", *words])
        return ran.exit_code, json.loads(ran.output) if ran.exit_code == 0 else f"{ran.output} {ran.exception}"

    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        async with controlled(server, tmp_path / "ocpp.sock"):
            code, lines = await told("FOLDER list")
            assert code == 0
            assert lines[0]["station"] == "CP-1"
            code, number = await told("FOLDER reserve CP-1 evse=1 token=ANNA seconds=3600")
            assert (code, list(known.books.reservations)) == (0, [number])
            assert await told(f"FOLDER cancel CP-1 reservation={number}") == (0, "done")
            assert [one.state for one in known.books.reservations.values()] == ["cancelled"]
            code, shown = await told("FOLDER show CP-1")
            assert (code, shown["reservations"][str(number)]["state"]) == (0, "cancelled")
            code, why = await told("FOLDER reset CP-9")
            assert code != 0
            assert "no station" in why
            code, why = await told("FOLDER reserve CP-1 evse")
            assert code != 0
            assert "NAME=VALUE" in why
            assert await told("FOLDER trust CP-1 what=forgive") == (0, "done")
            assert any(kind == "Forgiven" for _, _, kind, _ in server.memory.events("CP-1", 20))

    play("2.0.1", tmp_path, story, Services(authoriser=tokens))
