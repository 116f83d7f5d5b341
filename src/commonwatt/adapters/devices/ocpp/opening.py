"""Opens the OCPP server of a process: what its folder says of certificates, tokens and Plug & Charge becomes parts."""

import asyncio
import ssl
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx
import msgspec
from cryptography import x509

from commonwatt.adapters.devices.ocpp.certificates import Authority, server_context
from commonwatt.adapters.devices.ocpp.contracts import ContractPool, Responders
from commonwatt.adapters.devices.ocpp.control import controlled
from commonwatt.adapters.devices.ocpp.credentials import Credentials
from commonwatt.adapters.devices.ocpp.gate import Gate
from commonwatt.adapters.devices.ocpp.server import Server, serving
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.tokens import Everybody, Tokens
from commonwatt.adapters.devices.ocpp.trust import look_after
from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.model import CommonwattError, InvalidValue, epoch

FILE = "ocpp.toml"
SOCKET = "ocpp.sock"
LOOK_AFTER_S = 3600.0


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``ocpp.toml`` in the folder may say of the server.

    Args:
        names: Host names and addresses by which stations call us, for the certificate that we make ourselves.
        certificate: A chain of somebody else's instead, PEM, with its ``key``.
        key: Its private key, PEM without passphrase, for its owner alone.
        authorise: ``everybody``, or ``tokens`` for the table in the folder.
        sign_v2g: Sign the certificates that stations show to cars.
        contract_pool: Where contract certificates for cars come from.
        pool_token: File with the token for the pool, for its owner alone.
        ocsp_hosts: Responders that may be asked, as ``host`` or ``host:port``.
        mobility_roots: File with the roots of mobility operators, PEM.
        control: Open the socket for ``commonwatt stations``.
    """

    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    certificate: str | None = None
    key: str | None = None
    authorise: str = "everybody"
    sign_v2g: bool = False
    contract_pool: str | None = None
    pool_token: str | None = None
    ocsp_hosts: tuple[str, ...] = ()
    mobility_roots: str | None = None
    control: bool = False

    def __post_init__(self) -> None:
        if self.authorise not in ("everybody", "tokens"):
            raise ValueError(f"authorise is everybody or tokens, was {self.authorise}")
        if (self.certificate is None) != (self.key is None) or not self.names:
            raise ValueError("a server has a name, and a certificate with its key or neither")


@asynccontextmanager
async def opened(
    host: str, port: int, clock: Callable[[], datetime], folder: Path | None, *, secure: bool
) -> AsyncIterator[Server]:
    """Run a server as its folder wants it while the context is entered.

    Args:
        host: Where it listens.
        port: Likewise.
        clock: Our time.
        folder: Of what must not be forgotten; without it nothing is kept and nothing is secure.
        secure: Speak TLS there.

    Raises:
        InvalidValue: The file of settings makes no sense, or TLS has no folder.
        Refused: Others may read a secret.
        OSError: The port is not free, or a file is missing.
    """
    settings = read_settings(folder)
    if folder is None and secure:
        raise InvalidValue("a server that speaks TLS has a folder for its keys")
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        services = _services(settings, clock, folder, client, secure=secure)
        gate = Gate(Credentials(folder), services.authority, clock)
        tls = tls_context(settings, services.authority) if secure else None
        server = await stack.enter_async_context(
            serving(
                host, port, clock, folder, tls=tls, services=services, gate=gate,
            )
        )  # fmt: skip
        server.tls = tls
        server.names = settings.names
        if settings.certificate is not None and settings.key is not None:
            server.given = Path(settings.certificate), Path(settings.key)
        if folder is not None and settings.control:
            await stack.enter_async_context(controlled(server, folder / SOCKET))
        server.services.later(_keep_looking(server))
        yield server


def read_settings(folder: Path | None) -> ServerSettings:
    """Return what a folder says of its server.

    Raises:
        InvalidValue: It makes no sense.
    """
    path = None if folder is None else folder / FILE
    if path is None or not path.exists():
        return ServerSettings()
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), ServerSettings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidValue(f"settings of the OCPP server in {path}: {error}") from error


def tls_context(settings: ServerSettings, authority: Authority | None) -> ssl.SSLContext:
    """Return what the server speaks TLS with: given files, or a certificate of our own authority.

    Raises:
        InvalidValue: There is neither.
        OSError: A file is missing, or is no certificate.
    """
    roots = [] if authority is None else authority.roots
    if settings.certificate is not None and settings.key is not None:
        key = Path(settings.key)
        load_secret(key)  # refuses a key that others may read
        return server_context(Path(settings.certificate), key, None, roots)
    if authority is None:
        raise InvalidValue("a server that speaks TLS has a folder for its keys")
    return server_context(*authority.server_files(settings.names), roots)


def _services(
    settings: ServerSettings, clock: Callable[[], datetime], folder: Path | None, client: httpx.AsyncClient, *,
    secure: bool,
) -> Services:  # fmt: skip
    has_authority = folder is not None and (secure or (folder / "ocpp-authority").exists())
    token = "" if settings.pool_token is None else load_secret(Path(settings.pool_token)).decode().strip()
    roots = []
    if settings.mobility_roots is not None:
        roots = x509.load_pem_x509_certificates(Path(settings.mobility_roots).read_bytes())
    return Services(
        authoriser=Tokens(folder) if settings.authorise == "tokens" else Everybody(),
        authority=Authority(folder / "ocpp-authority", clock) if folder is not None and has_authority else None,
        v2g=Authority(folder / "ocpp-v2g", clock, "commonwatt V2G")
        if folder is not None and settings.sign_v2g
        else None,
        mobility_roots=roots,
        pool=None if settings.contract_pool is None else ContractPool(settings.contract_pool, client, token),
        responders=Responders(frozenset(settings.ocsp_hosts), client, clock) if settings.ocsp_hosts else None,
    )


async def _keep_looking(server: Server) -> None:
    """Renew what expires soon, again and again."""
    while True:
        await asyncio.sleep(LOOK_AFTER_S)
        try:
            await look_after(server)
        except (CommonwattError, OSError) as error:  # a full disk must not end this for good
            server.services.note("", epoch(server.clock()), "NotLookedAfter", str(error))
