"""The site that people sign in to: what passkeys, wallets and organisations bind their words to."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from commonwatt.model import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where people sign in.

    Args:
        name: The community's, for people to read.
        origin: Scheme, host and port as a browser writes them, for example ``https://sun.example`` or
            ``https://localhost:8443``.
        chain_id: For which chain a wallet signs in.

    Raises:
        InvalidValue: The origin is none, or not https; plain http is for this machine alone.
    """

    name: str
    origin: str
    chain_id: int = 1

    def __post_init__(self) -> None:
        parts = urlsplit(self.origin)
        if parts.scheme not in ("https", "http") or not parts.hostname or self.origin != _origin(parts.scheme, self):
            raise InvalidValue(f"an origin is https://host or https://host:port, was {self.origin!r}")
        if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1"):
            raise InvalidValue(f"people sign in over https, was {self.origin!r}")

    @property
    def host(self) -> str:
        """Host and port, as a wallet shows it."""
        return urlsplit(self.origin).netloc

    @property
    def relying_party(self) -> str:
        """The host alone: what a passkey is bound to."""
        return urlsplit(self.origin).hostname or ""

    @property
    def takes_passkeys(self) -> bool:
        """Tell whether browsers keep passkeys for this site: not for a bare address."""
        try:
            ip_address(self.relying_party)
        except ValueError:
            return True
        return False


def _origin(scheme: str, site: Site) -> str:
    parts = urlsplit(site.origin)
    standard = {"https": 443, "http": 80}[scheme]
    port = f":{parts.port}" if parts.port not in (None, standard) else ""
    host = parts.hostname or ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{port}"
