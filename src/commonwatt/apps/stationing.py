"""Ask the process that hosts the charging stations to do something, through its control socket."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from commonwatt.model import Refused

SOCKET = "ocpp.sock"
WITHIN_S = 60.0


def ask(folder: Path, verb: str, told: Mapping[str, Any]) -> Any:
    """Return what the process answers.

    Args:
        folder: Of the process's devices, where its socket is.
        verb: As the socket knows it.
        told: What belongs to it, ``station`` first of all.

    Raises:
        Refused: It is not done; says why. Or no process listens there.
    """
    path = folder / SOCKET
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(WITHIN_S)
        try:
            line.connect(str(path))
            line.sendall(msgspec.json.encode({**told, "do": verb}) + b"\n")
            with line.makefile("rb") as answers:
                raw = answers.readline()
        except OSError as error:
            raise Refused("stations are asked while their server runs, with control = true", path=path) from error
    answer = msgspec.json.decode(raw or b'{"ok": false, "why": "no answer"}', type=dict[str, Any])
    if not answer.get("ok"):
        raise Refused(str(answer.get("why")), asked=verb)
    return answer.get("told")
