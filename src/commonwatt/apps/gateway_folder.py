"""A gateway's folder: who it is, what is behind it, its key, and what it must not forget."""

import re
import secrets
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from commonwatt.adapters.devices.driver import DeviceSpec
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.adapters.stores.pkcs11_signer import Pkcs11Signer
from commonwatt.adapters.uplink.translate import Place, Tls, place
from commonwatt.apps.gateway_channel import ChannelTerms
from commonwatt.apps.household import HomeTerms
from commonwatt.apps.witness_child import WitnessTerms
from commonwatt.flows.gateway.rules import Mode
from commonwatt.flows.rulebook.bodies import Alg, Name, PublicKey
from commonwatt.identity.keys import SECP256K1, RequestSigner, SigningKey, VerifyingKey
from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    InvalidValue,
    Refused,
    zone_of,
)

GATEWAY, DEVICES = "gateway.toml", "devices.toml"
OUTBOX, ORDERS, STATUS, LOCK = "outbox.sqlite", "orders.json", "status.json", "lock"
UPLINKS = ("ws", "wss", "mqtt", "mqtts")
_SECRET_BYTES = 32
Read = TypeVar("Read", bound=Struct)


class KeyPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a gateway's key is: in the folder's keys, or in a token behind PKCS#11 (a secure element, a TPM).

    Its curve, ``alg``, is secp256k1, or P-256 in a token that knows no other.
    """

    kind: str = "file"
    alg: Alg = SECP256K1
    library: Path | None = None
    token: str = ""
    label: str = ""
    pin: Path | None = None


class GatewayFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `gateway.toml` says.

    Args:
        community: Whose log it signs for.
        number: On its case.
        timezone: The community's.
        uplink: ``ws://``, ``wss://``, ``mqtt://`` or ``mqtts://`` with host and port; without, it only keeps and signs.
        community_public: The operator's public key, from which alone it takes commands.
        owner: Whose it is; for its own listings.
        latitude_e7_deg: Where it stands, in ten-millionths of a degree; for its owner alone.
        longitude_e7_deg: Likewise.
        key: Where its key is.
        tls: Certificates for ``wss`` and ``mqtts``.
        login: A file of two lines, mode 0600: name and password for the broker.
        mode: Its member's: consumer, prosumer or generator.
        switch: The relay of the connection, where there is one, by its asset.
        reserve_percent: What a battery keeps back from DEMAND, for the home.
        witness: The community's witness that it runs too, where it has storage.
        home_assistant: Where its assets are shown to its owner.
        channel: The payment channel through which it pays, where it does.
    """

    community: Name
    number: Name
    timezone: str = "UTC"
    uplink: str = ""
    community_public: PublicKey | None = None
    owner: Name | None = None
    latitude_e7_deg: Annotated[int, Meta(ge=-900_000_000, le=900_000_000)] | None = None
    longitude_e7_deg: Annotated[int, Meta(ge=-1_800_000_000, le=1_800_000_000)] | None = None
    key: KeyPlace = KeyPlace()
    tls: Tls = Tls()
    login: Path | None = None
    mode: Mode = Mode.PROSUMER
    switch: Name | None = None
    reserve_percent: Annotated[int, Meta(ge=0, le=100)] = 0
    witness: WitnessTerms | None = None
    home_assistant: HomeTerms | None = None
    channel: ChannelTerms | None = None

    def place(self) -> Place | None:
        """Return where its line goes, None where it has none.

        Raises:
            InvalidValue: It goes nowhere, or the key that its orders are to bear is missing.
        """
        if not self.uplink:
            return None
        if self.community_public is None:
            raise InvalidValue(f"with an uplink, {GATEWAY} pins community_public, was none")
        VerifyingKey(bytes.fromhex(self.community_public))
        return place(self.uplink, *UPLINKS)


class AssetSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ``[[asset]]`` of `devices.toml`, in the order in which they are claimed; limits as in `model.Asset`."""

    id: Name
    kind: AssetKind
    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "home"
    max_import_w: int
    max_export_w: int = 0
    min_import_w: int = 0
    capacity_wh: int = 0
    charge_permille: int = 1000
    discharge_permille: int = 1000

    def asset(self, owner: str, number: str) -> Asset:
        """Return it as the log would know it.

        Raises:
            InvalidValue: Its limits contradict each other.
        """
        told = msgspec.structs.asdict(self)
        del told["id"]
        return Asset(id=AssetId(self.id), owner=AccountId(owner), gateway=GatewayId(number), **told)


class DevicesFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `devices.toml` says."""

    asset: list[AssetSpec] = []
    device: list[DeviceSpec] = []


def read_gateway(folder: Path) -> GatewayFile:
    """Read who a gateway is.

    Raises:
        InvalidValue: `gateway.toml` is missing, no TOML, or says what makes no sense; names the thing.
    """
    told = _read(folder / GATEWAY, GatewayFile)
    zone_of(told.timezone)
    told.place()
    if told.key.kind not in ("file", "pkcs11"):
        raise InvalidValue(f"a key is of kind file or pkcs11, was {told.key.kind!r} in {GATEWAY}")
    token = (told.key.library, told.key.token, told.key.label, told.key.pin)
    if (told.key.kind == "pkcs11") != all(token) or (told.key.kind == "file" and any(token)):
        raise InvalidValue(f"a key behind PKCS#11, and no other, has library, token, label and pin, was {told.key}")
    if told.key.kind == "file" and told.key.alg != SECP256K1:
        raise InvalidValue(f"a key in a file is of {SECP256K1}, was {told.key.alg} in {GATEWAY}")
    return told


def read_devices(path: Path) -> DevicesFile:
    """Read what is behind a gateway.

    Raises:
        InvalidValue: The file is missing, no TOML, or contradicts itself; names the thing.
    """
    told = _read(path, DevicesFile)
    _once("an asset is told once", (one.id for one in told.asset))
    _once("an asset has one device", (one.asset for one in told.device))
    _once("one connection", (one.kind for one in told.asset if one.kind is AssetKind.CONNECTION))
    known = {one.id for one in told.asset}
    for device in told.device:
        if device.asset not in known:
            raise InvalidValue(f"a device is of an asset of {path.name}, was {device.asset!r}")
    for one in told.asset:
        one.asset("nobody", "none")
    return told


def make_folder(folder: Path, told: GatewayFile) -> RequestSigner:
    """Make a gateway's folder (0700), key and secret, and write down who it is; what is there already stays.

    Returns:
        Its key.

    Raises:
        Refused: The folder is another gateway's, or the key cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / GATEWAY
    if path.exists():
        if (known := read_gateway(folder)) != told:
            raise Refused("a folder is one gateway's, and says so already", file=path, number=known.number)
    else:
        path.write_text(_toml(msgspec.to_builtins(told, enc_hook=str)))
        read_gateway(folder)
    if not (folder / DEVICES).exists():
        (folder / DEVICES).write_text(_EMPTY_DEVICES)
    (folder / "keys").mkdir(mode=0o700, exist_ok=True)
    if not (folder / "keys" / "blinds").exists():
        save_secret(folder / "keys" / "blinds", secrets.token_bytes(_SECRET_BYTES))
    return open_signer(folder, told, create=True)


def open_signer(folder: Path, told: GatewayFile, *, create: bool = False) -> RequestSigner:
    """Open a gateway's key.

    Raises:
        Refused: There is none, or it does not open.
    """
    kept = told.key
    if kept.kind == "pkcs11":
        assert kept.library and kept.pin
        return Pkcs11Signer(
            kept.library, token=kept.token, key=kept.label, pin=folder / kept.pin, alg=kept.alg, create=create
        )
    path = folder / "keys" / "key.pem"
    if not path.exists():
        if not create:
            raise Refused("a gateway has a key: `commonwatt gateway init` makes it", missing=path)
        save_secret(path, SigningKey.generate().to_pem(passphrase(folder / "keys" / "passphrase")))
    return SigningKey.from_pem(load_secret(path), passphrase(folder / "keys" / "passphrase"))


def blinds(folder: Path) -> bytes:
    """Return the secret from which blinds and salts are drawn.

    Raises:
        Refused: It is missing, or others may read it.
    """
    path = folder / "keys" / "blinds"
    if not path.exists():
        raise Refused("a gateway has a secret of its own: `commonwatt gateway init` makes it", missing=path)
    return load_secret(path)


def login_of(path: Path | None) -> tuple[str, str] | None:
    """Return name and password for a broker from a file of two lines.

    Raises:
        Refused: Others may read it.
        InvalidValue: It has other lines.
    """
    if path is None:
        return None
    lines = load_secret(path).decode(errors="replace").splitlines()
    if len(lines) != 2 or not lines[0]:
        raise InvalidValue(f"a broker's login is two lines, name and password, {path} has {len(lines)}")
    return lines[0], lines[1]


def read_toml(path: Path, kind: type[Read]) -> Read:
    """Read a file of TOML as what it is to say.

    Raises:
        InvalidValue: It is missing, no TOML, or says something else; names the thing.
    """
    return _read(path, kind)


def _read(path: Path, kind: type[Read]) -> Read:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), kind, dec_hook=_path)
    except FileNotFoundError as error:
        raise InvalidValue(f"there is a file {path}: `commonwatt gateway init` makes one, found none") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, ValueError) as error:
        raise InvalidValue(f"{path} is read strictly: {error}") from error


def _path(kind: type[object], told: object) -> object:
    """Return what TOML has no type for: of all that our files tell, a path alone."""
    if kind is not Path or not isinstance(told, str) or not told:
        raise InvalidValue(f"a path is told as text, was {told!r}")
    return Path(told)


def _once(rule: str, names: Iterable[str]) -> None:
    seen = set[str]()
    for name in names:
        if name in seen:
            raise InvalidValue(f"{rule}, {name!r} is told twice")
        seen.add(name)


def _toml(told: dict[str, Any]) -> str:
    """Write plain values and tables of them; texts are such that JSON and TOML write them alike."""
    plain = {name: value for name, value in told.items() if not isinstance(value, dict) and value not in (None, "")}
    lines = [f"{name} = {_value(value)}" for name, value in plain.items()]
    for name, table in told.items():
        if isinstance(table, dict) and any(value not in (None, "") for value in table.values()):
            lines += ["", f"[{name}]", *(f"{k} = {_value(v)}" for k, v in table.items() if v not in (None, ""))]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    if re.search(r"[\x7f]", text):
        raise InvalidValue(f"a setting is plain text, was {value!r}")
    return text


_EMPTY_DEVICES = """\
# What is behind this gateway, in the order in which it is claimed. See docs/guide/gateway.md.
#
# [[asset]]
# id = "anna-battery"
# kind = "battery"
# max_import_w = 5000
# max_export_w = 5000
# capacity_wh = 10000
#
# [[device]]
# asset = "anna-battery"
# driver = "sunspec"
# url = "tcp://192.168.1.40:502"
"""
