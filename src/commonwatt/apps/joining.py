"""Bring somebody new into a community: a key of their own, kept in the folder, and registered through the open door."""

from dataclasses import dataclass
from pathlib import Path

from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.apps.asking import send, state_of
from commonwatt.flows.onboard import key_body
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AccountId, Kind, Refused

ROLES = ("member", "utility", "aggregator", "tso", "installer", "station", "car", "oracle", "agent")
"""Who joins: with an account, but for transmission operators, who state limits, oracles, who tell facts, and installers
and agents, who act for others by their grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Whose key was registered, for which account, and where it lies."""

    name: str
    role: str
    account: AccountId
    public: str
    file: str


def join(folder: Path, name: str, role: str, account: str | None, host: str, port: int) -> Joined:
    """Make a key, keep it encrypted in a folder, and let the operator register it through the community's door.

    A key that was made and could not be registered is kept: the same words again go on with it.

    Args:
        folder: The community's, with the operator's key.
        name: Of the key's file, and of the account where none is told.
        role: One of `ROLES`.
        account: For which the key acts.
        host: Where the door is.
        port: Likewise.

    Raises:
        Refused: There is no such role, the name is no name or taken, or the operator's request was refused.
        OSError: The line to the door broke.
    """
    if role not in ROLES:
        raise Refused("who joins has a role", found=role, roles=", ".join(ROLES))
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise Refused("a key's name has letters, digits, - and _", found=repr(name))
    path, words = folder / "keys" / f"{name}.pem", passphrase(folder / "keys" / "passphrase")
    if not path.exists():
        save_secret(path, SigningKey.generate().to_pem(words))
    key = SigningKey.from_pem(load_secret(path), words)
    if (known := state_of(folder).keys.get(key.id)) is not None:
        raise Refused("a key is registered once", named=name, role=known.role, account=known.account)
    about = AccountId(account or name)
    send(folder, "operator", Kind.REGISTER, key_body(key, role, about), host, port)
    return Joined(name=name, role=role, account=about, public=key.public.hex(), file=str(path))
