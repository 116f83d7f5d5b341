"""`commonwatt stations` does what its guide shows, at a simulated station over a real socket."""

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

from ocpp_yard import PASSWORD, now, until
from test_ocpp_managing import play
from typer.testing import CliRunner

from commonwatt.adapters.devices.ocpp.certificates import pem
from commonwatt.adapters.devices.ocpp.control import controlled
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.tokens import Token, Tokens
from commonwatt.apps.cli.main import app
from commonwatt.model import epoch
from commonwatt.simulator.devices.ocpp_maker import Maker
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


def test_the_command_brings_firmware_roots_and_profiles_as_its_guide_shows(tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        assert server.gate is not None
        assert simulated.duties is not None
        server.gate.credentials.set("CP-1", PASSWORD)
        async with controlled(server, tmp_path / "ocpp.sock"), Maker().serving() as maker:

            async def told(line: str) -> tuple[int, Any]:
                words = shlex.split(line.replace("FOLDER", str(tmp_path)))
                ran = await asyncio.to_thread(CliRunner().invoke, app, ["stations", *words])
                return ran.exit_code, json.loads(ran.output) if ran.exit_code == 0 else f"{ran.output} {ran.exception}"

            (tmp_path / "root.pem").write_text(pem(maker.root))
            (tmp_path / "maker.pem").write_text(pem(maker.certificate))
            line = f"FOLDER trust CP-1 what=install kind=ManufacturerRootCertificate certificate=@{tmp_path}/root.pem"
            assert await told(line) == (0, "done")
            code, roots = await told("FOLDER trust CP-1 what=installed")
            assert (code, [kind for kind, _ in roots]) == (0, ["CSMSRootCertificate", "ManufacturerRootCertificate"])
            offer = maker.offer()
            line = (
                f"FOLDER firmware CP-1 url={offer['url']} sha256={offer['sha256']} "
                f"signature={offer['signature']} certificate=@{tmp_path}/maker.pem"
            )
            code, why = await told(line.replace("sha256=", "sha256=00"))
            assert code != 0
            assert "fits its hash" in why, "we look at the signature before any station is told"
            assert await told(line) == (0, "done")
            await until(lambda: known.books.firmware and known.books.firmware.state == "Installed")
            code, shown = await told("FOLDER show CP-1")
            assert (code, shown["firmware"]["state"]) == (0, "Installed")
            assert shown["boot"]["chargingStation"]["firmwareVersion"] == "2.0.0"
            code, why = await told("FOLDER trust CP-1 what=profile profile=2 url=ws://stations.example:9443")
            assert code != 0
            assert "wss://" in why
            simulated.duties.secure_url = simulated.url
            line = "FOLDER trust CP-1 what=profile profile=2 url=wss://stations.example:9443"
            assert await told(line) == (0, "done")
            (sent,) = [asked for action, asked in simulated.heard if action == "SetNetworkProfile"]
            assert sent["connectionData"]["ocppCsmsUrl"] == "wss://stations.example:9443"
            assert await told("FOLDER available CP-1 evse=1 operative=false") == (0, "done")
            await until(lambda: known.evse(1).status == "Unavailable")
            assert (await told("FOLDER trust CP-1 what=renew"))[0] == 0
            await until(lambda: simulated.duties is not None and simulated.duties.keys.chains)
            code, why = await told("FOLDER trust CP-1 what=nothing")
            assert code != 0
            assert "trust is rotate" in why

    play("2.0.1", tmp_path, story)
