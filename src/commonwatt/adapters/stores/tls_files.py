"""Keep a site's certificates in its folder: made on first use, renewed in time, the keys for their owner alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.identity.local_tls import Pair, authorises, make_authority, make_server, serves


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where a server finds what it serves with, and where people find what they trust.

    Args:
        certificate: The server's, with its authority's behind it.
        key: The server's, mode 0600.
        authority: The authority's certificate, to be trusted by who uses the site.
        renewed: Whether the authority is new, so that people have to trust it anew.
    """

    certificate: Path
    key: Path
    authority: Path
    renewed: bool


def tls_files(folder: Path, community: str, names: Sequence[str], now_s: int) -> TlsFiles:
    """Return a site's certificates, made or renewed where need be.

    Args:
        folder: Where they lie; made with mode 0700 where it is missing.
        community: Its name.
        names: Host names and addresses under which it is reached; another list makes all of it anew.
        now_s: Seconds since 1970.

    Raises:
        Refused: Others may read a key.
        Corrupt: A file holds something else.
        InvalidValue: A name is none.
        OSError: The folder cannot be written.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = _load(folder, "authority")
    renewed = authority is None or not authorises(authority, names, now_s)
    if authority is None or renewed:
        authority = make_authority(community, names, now_s)
        _save(folder, "authority", authority)
    server = _load(folder, "server")
    if renewed or server is None or not serves(server, names, now_s):
        _save(folder, "server", make_server(authority, names, now_s))
    return TlsFiles(
        certificate=folder / "server.pem",
        key=folder / "server.key",
        authority=folder / "authority.pem",
        renewed=renewed,
    )


def _load(folder: Path, name: str) -> Pair | None:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    if not certificate.exists() or not key.exists():
        return None
    return Pair(certificate=certificate.read_bytes(), key=load_secret(key))


def _save(folder: Path, name: str, pair: Pair) -> None:
    # The certificate goes last: killed between both, it is missing or of the key before, and found out next time.
    (folder / f"{name}.pem").unlink(missing_ok=True)
    save_secret(folder / f"{name}.key", pair.key)
    save_secret(folder / f"{name}.pem", pair.certificate)
