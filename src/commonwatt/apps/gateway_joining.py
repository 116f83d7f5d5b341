"""Bring a gateway into a community: the operator registers it, and who holds its number claims what is behind it."""

from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from commonwatt.apps.asking import Asked, send, state_of
from commonwatt.apps.gateway_folder import read_devices
from commonwatt.apps.wiring import open_key
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.keys import SECP256K1
from commonwatt.identity.p256 import verifying_key
from commonwatt.model import Asset, AssetId, GatewayId, Kind, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An asset that a member claimed, or had claimed before."""

    asset: str
    gateway: str
    new: bool


def register(folder: Path, number: str, public: str, host: str, port: int, alg: str = SECP256K1) -> str:
    """Register a gateway through the community's door, with the operator's key.

    Returns:
        The operator's public key, hex, which the gateway pins.

    Raises:
        Refused: The operator's request was refused; a number and a key are registered once.
        InvalidValue: The number is no name, or the key none of its curve.
    """
    told = {"what": "gateway", "gateway": number, "public": public, "alg": alg}
    body = bodies.read_body(Kind.REGISTER, told)
    assert isinstance(body, Struct)
    verifying_key(bytes.fromhex(public), alg)
    send(folder, "operator", Kind.REGISTER, body, host, port)
    return open_key(folder, "operator").public.hex()


def claim(folder: Path, member: str, number: str, devices: Path, host: str, port: int) -> list[Claimed]:
    """Claim what is behind a gateway for a member who holds its number, in the order of its devices file.

    What is claimed already stays; the order of claims numbers the meters, so it has to be the file's.

    Raises:
        Refused: No such gateway is registered, somebody else has claimed it, or an asset stands elsewhere; says which.
        InvalidValue: The devices file makes no sense.
    """
    wanted = read_devices(devices).asset
    state = state_of(folder)
    gateway = state.gateways.get(GatewayId(number))
    if gateway is None:
        raise Refused("a gateway is registered before it is claimed", gateway=number)
    names = [AssetId(one.id) for one in wanted]
    if gateway.assets != names[: len(gateway.assets)]:
        raise Refused(
            "assets stand in the devices file in the order of their claims",
            gateway=number,
            claimed=", ".join(gateway.assets),
            file=", ".join(names),
        )
    done = [Claimed(asset=name, gateway=number, new=False) for name in gateway.assets]
    for register, one in list(enumerate(wanted))[len(gateway.assets) :]:
        _claim(folder, member, number, register, one.asset(member, number), host, port)
        done.append(Claimed(asset=one.id, gateway=number, new=True))
    return done


def _claim(folder: Path, member: str, number: str, register: int, asset: Asset, host: str, port: int) -> Asked:
    body = bodies.RegisterAsset(
        asset=asset.id,
        gateway=number,
        register=register,
        asset_kind=asset.kind,
        zone=asset.zone,
        max_import_w=asset.max_import_w,
        max_export_w=asset.max_export_w,
        min_import_w=asset.min_import_w,
        capacity_wh=asset.capacity_wh,
        charge_permille=asset.charge_permille,
        discharge_permille=asset.discharge_permille,
    )
    return send(folder, member, Kind.REGISTER, body, host, port)
