"""Keep where members' homes stand in one file of a community's folder, each home under a key of its own."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.vault import Vault, Wrapping
from commonwatt.model import AccountId, Corrupt, InvalidValue, Position

POSITIONS = "positions.json"


class _Home(msgspec.Struct, frozen=True):
    key: bytes
    sealed: bytes


class Positions:
    """The positions of one folder, as their owners stated them; read again whenever the file is another.

    Args:
        folder: The community's.
        wrapping: Its master key.
    """

    def __init__(self, folder: Path, wrapping: Wrapping) -> None:
        self._path, self._wrapping = folder / POSITIONS, wrapping
        self._read_ns, self._known = -1, dict[AccountId, Position]()

    def known(self) -> Mapping[AccountId, Position]:
        """Return every position.

        Raises:
            Corrupt: The file is damaged, or another master key's.
        """
        try:
            changed_ns = self._path.stat().st_mtime_ns
            if changed_ns != self._read_ns:
                self._known, self._read_ns = self._opened(self._path.read_bytes()), changed_ns
        except FileNotFoundError:
            self._known, self._read_ns = {}, -1
        return self._known

    def keep(self, account: AccountId, position: Position | None) -> None:
        """Keep where a home stands in place of what was kept; None forgets it, and its key with it.

        Raises:
            Corrupt: The file is damaged.
        """
        kept = {owner: where for owner, where in self.known().items() if owner != account}
        if position is not None:
            kept[account] = position
        elif account not in self.known():
            return
        vault, owners = Vault(self._wrapping), list(kept)
        sealed = vault.seal([(owner, 0, msgspec.json.encode(kept[owner])) for owner in owners])
        keys = vault.fresh()
        homes = {owner: _Home(keys[owner], text) for owner, text in zip(owners, sealed, strict=True)}
        save_secret(self._path, msgspec.json.encode(homes))
        self._read_ns = -1

    def _opened(self, content: bytes) -> dict[AccountId, Position]:
        try:
            homes = msgspec.json.decode(content, type=dict[AccountId, _Home])
            vault = Vault(self._wrapping)
            vault.load({owner: home.key for owner, home in homes.items()})
            return {
                owner: msgspec.json.decode(vault.open(owner, 0, home.sealed), type=Position)
                for owner, home in homes.items()
            }
        except (msgspec.MsgspecError, ValueError, InvalidValue) as error:
            raise Corrupt(f"{self._path} does not tell where homes stand: {error}") from error
