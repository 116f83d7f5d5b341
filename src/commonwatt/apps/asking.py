"""Sign a request with a key of a community's folder, and send it through the community's door: for all who do so."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from commonwatt.adapters.door.client import knock
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.wiring import open_key, open_log
from commonwatt.flows.desk import Desk
from commonwatt.flows.receipts import Receipt
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.lacking import lacking
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AccountId, Kind, Outcome, Refused

TRIES = 5
"""How often a request is numbered anew where somebody signed with the same key meanwhile, as the open door does."""
_TAKEN = (Outcome.SEEN_BEFORE, Outcome.WRONG_SEQUENCE)


class KeptReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator promised, and all that arrived together under it, as it travelled, hex."""

    receipt: Receipt
    wires: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for an account, and what became of it."""

    account: AccountId
    kind: Kind
    body: Mapping[str, object]
    outcome: Outcome


def ask(
    folder: Path,
    name: str,
    kind: str,
    body: Mapping[str, object],
    host: str,
    port: int,
    account: str | None = None,
    receipt: Path | None = None,
) -> Asked:
    """Sign a request whose body is told in words, and send it; see `send`.

    Args:
        folder: The community's, with the key.
        name: Of the key, as its file in the folder's keys.
        kind: See `commonwatt.model.Kind`.
        body: As it is signed, see the guides.
        host: Where the door is.
        port: Likewise.
        account: For whom it is asked, where the key is a delegate's.
        receipt: See `send`.

    Raises:
        Refused: There is no such kind, or as in `send`.
        InvalidValue: The body is none of this kind; says which field is wrong.
        OSError: The line to the door broke.
    """
    if kind not in bodies.KINDS:
        raise Refused("a request is of a kind that has rules", found=kind, kinds=", ".join(sorted(bodies.KINDS)))
    told = bodies.read_body(Kind(kind), body)
    assert isinstance(told, msgspec.Struct)
    return send(folder, name, Kind(kind), told, host, port, account, receipt)


def send(
    folder: Path,
    name: str,
    kind: Kind,
    body: msgspec.Struct,
    host: str,
    port: int,
    account: str | None = None,
    receipt: Path | None = None,
) -> Asked:
    """Sign a request with a key of a folder, and send it through the community's door.

    Args:
        folder: The community's, with the key; its log tells the key's next number.
        name: Of the key, as its file in the folder's keys.
        kind: Of the request.
        body: Of the request.
        host: Where the door is.
        port: Likewise.
        account: For whom it is asked; whose the key is, where it is left out.
        receipt: Where to keep the operator's promise with what was sent, for `claiming`, as soon as it comes.

    Raises:
        Refused: There is no such key or log, the log does not know it, or the request was refused; says how.
        OSError: The line to the door broke.
    """
    outcome, about = Outcome.WRONG_SEQUENCE, AccountId("")
    for _ in range(TRIES):
        key, own, state = opened(folder, name)
        about, desk = AccountId(account) if account else own, Desk(state)
        desk.write(key, about, kind, body)
        kept = partial(keep_receipt, receipt, desk.wires) if receipt else lambda _: None
        (outcome,), _ = knock(host, port, desk.wires, on_receipt=kept)
        if outcome not in _TAKEN:
            break
    if outcome not in (Outcome.BOOKED, Outcome.WAITING):
        found = lacking(state_of(folder), about, body) if outcome is Outcome.NOT_BACKED else {}
        raise Refused("the log takes what its rules allow", kind=kind.value, account=about, outcome=outcome, **found)
    return Asked(account=about, kind=kind, body=bodies.write_body(body), outcome=outcome)


def keep_receipt(path: Path, wires: list[bytes], receipt: Receipt) -> None:
    """Keep a promise with the requests that it is about: either alone proves nothing."""
    kept = KeptReceipt(receipt=receipt, wires=[wire.hex() for wire in wires])
    save_secret(path, msgspec.json.format(msgspec.json.encode(kept)))


def opened(folder: Path, name: str) -> tuple[SigningKey, AccountId, State]:
    """Return a key of a folder, the account that it acts for, and the state at the end of the folder's log.

    Raises:
        Refused: There is no such key or log, or the log does not know the key.
    """
    key, state = open_key(folder, name), state_of(folder)
    record = state.keys.get(key.id)
    if record is None:
        raise Refused("a key is registered before it asks for anything", named=name, key=key.id)
    return key, record.account, state


def state_of(folder: Path) -> State:
    """Return what holds at the end of a folder's log.

    Raises:
        Refused: There is no log, or no key to it.
    """
    with open_log(folder) as log:
        return resume(log, community_of(log)).state
