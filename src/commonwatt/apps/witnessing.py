"""Be a witness: keys made on first use, a memory that is never lost, a log followed, and others' notes compared."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_first, save_secret
from commonwatt.adapters.witness.client import HttpDoor, RemoteLog, fetch_note, fetch_trust
from commonwatt.adapters.witness.memory import MemoryFile
from commonwatt.apps.api.serving import server
from commonwatt.apps.api.witness import Shown, witness_app
from commonwatt.apps.publishing import TRUST, address, listen
from commonwatt.flows.evidence import Trust, read_trust
from commonwatt.flows.rulebook.bodies import Witness as Card
from commonwatt.flows.witness import FraudProven, Promise, Witness, WitnessKeys
from commonwatt.identity.caller import sign_call
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.model import Corrupt, Refused

CARD = "witness.json"
FRAUD = "fraud.json"
MEMORY = "memory.sqlite"
STATE = "state.snapshot"
_SIZE_BYTES = 8
_MOST_STATE_BYTES = 500_000_000
_NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What came of one look at a log or a peer: what is cosigned now and from where it was run, or what is wrong."""

    size: int | None = None
    slot_s: int | None = None
    cosigned_s: int | None = None
    began: str | None = None
    trouble: str | None = None


class HandingLog(RemoteLog):
    """A remote log that is asked for the state that it hands over, too."""

    def handed(self) -> bytes:
        """Return the state at the log's last final checkpoint.

        Raises:
            Refused: It hands over none.
        """
        header = sign_call(self._key, self._origin, "/snapshot", self._now_s())
        return self._door.get("/snapshot", _MOST_STATE_BYTES, header)


@dataclass(frozen=True, slots=True)
class StateFile:
    """Implements `commonwatt.flows.witness_ports.Shelf` in one file of mode 0600: how many leaves, and the state."""

    path: Path

    def kept(self) -> tuple[int, bytes] | None:
        """Return the state that was kept last; None where there is none.

        Raises:
            Refused: Others may read the file.
        """
        if not self.path.exists():
            return None
        content = load_secret(self.path)
        return int.from_bytes(content[:_SIZE_BYTES]), content[_SIZE_BYTES:]

    def keep(self, size: int, content: bytes) -> None:
        """Keep a state in place of the one before; a kill leaves the old one or the new one."""
        save_secret(self.path, size.to_bytes(_SIZE_BYTES) + content)


def open_keys(folder: Path, name: str | None = None) -> WitnessKeys:
    """Return a witness's keys, made on first use: encrypted, under a passphrase, for the folder's owner alone.

    Beside them lies the card that registers the witness with a community.

    Args:
        folder: The witness's own.
        name: Given on first use; else it follows from the key. Afterwards the first one stays.

    Raises:
        Refused: The name is another than the first, or others can read the folder's secrets.
        InvalidValue: The name is not lawful in a note.
    """
    keys = folder / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = passphrase(keys / "passphrase")
    for file, kind in (("note.pem", NoteKey), ("signing.pem", SigningKey)):
        if not (keys / file).exists():
            save_first(keys / file, kind.generate().to_pem(words))
    note = NoteKey.from_pem(load_secret(keys / "note.pem"), words)
    signing = SigningKey.from_pem(load_secret(keys / "signing.pem"), words)
    chosen = name or f"witness-{note.public.hex()[:8]}"
    found = WitnessKeys(chosen, note, signing)
    card = Card(note=found.word, public=signing.public.hex())
    if not (folder / CARD).exists():
        save_first(folder / CARD, msgspec.json.format(msgspec.json.encode(card)) + b"\n")
    first = msgspec.json.decode((folder / CARD).read_bytes(), type=Card).note.partition("+")[0]
    if name and name != first:
        raise Refused("a witness keeps its name", folder=folder, first=first, found=name)
    return WitnessKeys(first, note, signing)


def watch(
    url: str,
    folder: Path,
    *,
    name: str | None = None,
    trust: Path | None = None,
    peers: Sequence[str] = (),
    port: int | None = None,
    once: bool = False,
    every_s: float = 30,
    on_open: Callable[[str], None] = lambda where: None,
    on_progress: Callable[[int, int], None] = lambda done, whole: None,
) -> Iterator[Looked]:
    """Follow a log and yield what comes of each look; without end unless ``once``.

    Args:
        url: Where the log is served.
        folder: The witness's own, with its keys, its memory and the state that it reached last.
        name: See `open_keys`.
        trust: The community's public keys; kept from the first time on. Where none was ever given, those that the log
            tells of itself are taken on first sight.
        peers: Where other witnesses serve.
        port: Where this one serves its last word on loopback, if it does.
        once: Look once, and let every trouble be an error.
        every_s: Between two looks.
        on_open: Told where it serves.
        on_progress: Told how many leaves were run, and of how many.

    Raises:
        FraudProven: The operator signed two histories; the proof lies in the folder, and no word is given any more.
        Corrupt: The log contradicts itself, or a file in the folder does.
        Refused: The folder is another log's, or with ``once`` whatever a look was refused.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = open_keys(folder, name)
    _stop_at_fraud(folder)
    with ExitStack() as doors:
        door = doors.enter_context(HttpDoor(url))
        others = [doors.enter_context(HttpDoor(peer)) for peer in peers]
        memory = doors.enter_context(MemoryFile(folder / MEMORY))
        trusted = _trust(folder, trust, door)
        log = HandingLog(door, trusted.community, keys.signing, _now_s)
        witness = Witness(log, memory, keys, trusted, _now_s, on_progress, StateFile(folder / STATE))
        shown = Shown(_word(memory.last()))
        if port is not None:
            on_open(_show(shown, port, doors))
        while True:
            try:
                yield from _look(witness, shown, others, strict=once)
            except FraudProven as fraud:
                save_secret(folder / FRAUD, fraud.proof)
                shown.fraud = fraud.proof
                raise
            if once:
                return
            time.sleep(every_s)


def _look(witness: Witness, shown: Shown, others: Sequence[HttpDoor], *, strict: bool) -> Iterator[Looked]:
    try:
        promise = witness.look()
        shown.note = _word(promise)
        yield Looked(size=promise.size, slot_s=promise.slot_s, cosigned_s=promise.time_s, began=witness.began)
    except Refused as refused:
        if strict:
            raise
        yield Looked(trouble=str(refused))
    for other in others:
        try:
            witness.hear(fetch_note(other))
        except FraudProven:
            raise
        except (Corrupt, Refused) as error:
            # A peer is no authority: what it shows counts only under the operator's own signature.
            yield Looked(trouble=f"peer {other.url}: {error}")


def _word(promise: Promise | None) -> str | None:
    return None if promise is None else promise.note + promise.line


def _stop_at_fraud(folder: Path) -> None:
    if (folder / FRAUD).exists():
        proof = (folder / FRAUD).read_bytes()
        raise FraudProven(f"this log's operator signed two histories, {folder / FRAUD} proves it", proof)


def _trust(folder: Path, given: Path | None, door: HttpDoor) -> Trust:
    """Return the trust file that this folder was begun with."""
    kept = folder / TRUST
    if not kept.exists():
        content = given.read_bytes() if given else fetch_trust(door)
        read_trust(content)
        save_first(kept, content)
    trust = read_trust(kept.read_bytes())
    if given and read_trust(given.read_bytes()) != trust:
        raise Refused("a witness's folder is for one log, take another --folder", folder=folder, log=trust.community)
    return trust


def _show(shown: Shown, port: int, doors: ExitStack) -> str:
    """Serve what is shown from a thread that ends with the process, and return where."""
    socket = doors.enter_context(listen("127.0.0.1", port))
    serving = server(witness_app(shown))
    thread = threading.Thread(target=serving.run, args=([socket],), daemon=True)
    thread.start()

    def end() -> None:
        serving.should_exit = True
        thread.join(5)

    doors.callback(end)
    return address(socket)


def _now_s() -> int:
    return int(time.time())
