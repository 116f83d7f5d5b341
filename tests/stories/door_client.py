"""A member at the door: sends signed requests over a socket, and notes what was promised and what was answered."""

import socket
from pathlib import Path

import msgspec
from community import Community, key

from commonwatt.adapters.door.wire import ERROR, OUTCOMES, RECEIPT, frame, read_outcomes, split_answers
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.flows.receipts import Receipt
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.identity.keys import NoteKey
from commonwatt.model import Commodity, Kind, Outcome

NOTE = NoteKey.from_seed(b"tiny", "note")


def found_folder(folder: Path, **terms: int) -> None:
    """Put the tiny community into a folder of its own, with the keys that its desk holds."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    save_secret(keys / "passphrase", b"open")
    save_secret(keys / "operator.pem", key("operator").to_pem(b"open"))
    save_secret(keys / "note.pem", NOTE.to_pem(b"open"))
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        Community(store=log, **terms)  # type: ignore[arg-type]


def give(community: Community, seq: int, amount: int = 1, who: str = "anna", to: str = "ben") -> bytes:
    body = wallet_bodies.Give(commodity=Commodity.ERGON, target=to, amount=amount)
    return community.wire(who, Kind.TRANSFER, body, seq=seq)


class Client:
    def __init__(self, port: int, timeout_s: float = 10) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.receipts: list[Receipt] = []
        self.answered: list[Outcome] = []
        self.refused = ""
        self._buffer = bytearray()

    def send(self, *wires: bytes) -> None:
        self.socket.sendall(b"".join(map(frame, wires)))

    def hear(self) -> bool:
        """Take in what came; False once the other side hung up."""
        try:
            data = self.socket.recv(65_536)
        except ConnectionError:
            return False
        self._buffer += data
        for kind, content in split_answers(self._buffer):
            if kind == RECEIPT:
                self.receipts.append(msgspec.json.decode(content, type=Receipt))
            elif kind == OUTCOMES:
                self.answered += read_outcomes(content)
            elif kind == ERROR:
                self.refused = content.decode()
        return bool(data)

    def hear_all(self, count: int) -> list[Outcome]:
        while len(self.answered) < count and self.hear():
            pass
        return self.answered
