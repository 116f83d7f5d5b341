"""Sign a request with a key of a community's folder, and send it through the community's door."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from commonwatt.adapters.door.client import knock
from commonwatt.apps.wiring import open_key, open_log
from commonwatt.flows.desk import Desk
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook import State, bodies
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AccountId, Kind, Outcome, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for an account, and what became of it."""

    account: AccountId
    kind: Kind
    body: Mapping[str, object]
    outcome: Outcome


def ask(
    folder: Path, name: str, kind: str, body: Mapping[str, object], host: str, port: int, account: str | None = None
) -> Asked:
    """Sign a request with a key of a folder, and send it through the community's door.

    Args:
        folder: The community's, with the key.
        name: Of the key, as its file in the folder's keys.
        kind: See `commonwatt.model.Kind`.
        body: As it is signed, see the guides.
        host: Where the door is.
        port: Likewise.
        account: For whom it is asked, where the key is a delegate's.

    Raises:
        Refused: There is no such key or log, the log does not know it, or the request was refused; says how.
        InvalidValue: The body is none of this kind; says which field is wrong.
        OSError: The line to the door broke.
    """
    key, own, state = opened(folder, name)
    about = AccountId(account) if account else own
    known = Kind(kind) if kind in bodies.KINDS else None
    if known is None:
        raise Refused("a request is of a kind that has rules", found=kind, kinds=", ".join(sorted(bodies.KINDS)))
    told = bodies.read_body(known, body)
    desk = Desk(state)
    assert isinstance(told, msgspec.Struct)
    desk.write(key, about, known, told)
    (outcome,), _ = knock(host, port, desk.wires)
    if outcome not in (Outcome.BOOKED, Outcome.WAITING):
        raise Refused("the log takes what its rules allow", kind=known.value, outcome=outcome)
    return Asked(account=about, kind=known, body=bodies.write_body(told), outcome=outcome)


def opened(folder: Path, name: str) -> tuple[SigningKey, AccountId, State]:
    """Return a key of a folder, the account that it acts for, and the state at the end of the folder's log.

    Raises:
        Refused: There is no such key or log, or the log does not know the key.
    """
    key = open_key(folder, name)
    with open_log(folder) as log:
        state = resume(log, community_of(log)).state
    record = state.keys.get(key.id)
    if record is None:
        raise Refused("a key is registered before it asks for anything", named=name, key=key.id)
    return key, record.account, state
