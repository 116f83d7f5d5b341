"""`commonwatt gateway`: our own gateway for a small Linux box."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import gateway_folder, gateway_joining, gateway_status, gatewaying
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.identity.keys import SECP256K1

Folder = Annotated[Path, typer.Argument(help="The gateway's own folder.", file_okay=False)]
Community = Annotated[Path, typer.Argument(help="A community's folder, with the key that signs.", exists=True)]
Number = Annotated[str, typer.Option(help="On the gateway's case, for example HEPEK-0007.")]
Host = Annotated[str, typer.Option(help="Where the door is, see accept.")]
Port = Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)]
Alg = Annotated[str, typer.Option(help="The key's curve: secp256k1, or P-256 in a token that knows no other.")]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def init(
    folder: Folder,
    number: Number,
    community: Annotated[str, typer.Option(help="For whose log it signs.")],
    uplink: Annotated[str, typer.Option(help="ws://, wss://, mqtt:// or mqtts:// with host and port.")] = "",
    community_public: Annotated[
        str | None, typer.Option(help="The operator's public key, as `gateway register` prints it.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="The community's.")] = "UTC",
    library: Annotated[Path | None, typer.Option(help="A PKCS#11 library: the key is made in its token.")] = None,
    token: Annotated[str, typer.Option(help="The token's label.")] = "",
    label: Annotated[str, typer.Option(help="The key's label in it.")] = "",
    pin: Annotated[Path | None, typer.Option(help="File with the token's PIN, mode 0600.")] = None,
    alg: Alg = SECP256K1,
    json: Json = False,
) -> None:
    """Make a gateway's folder and key, and print its number, public key and curve. Asked again, print them again."""
    kept = gateway_folder.KeyPlace(
        kind="pkcs11" if library else "file",
        alg=alg,
        library=library,
        token=token,
        label=label,
        pin=pin.absolute() if pin else None,
    )
    told = gateway_folder.GatewayFile(
        community=community,
        number=number,
        timezone=timezone,
        uplink=uplink,
        community_public=community_public,
        key=kept,
    )
    key = gateway_folder.make_folder(folder, told)
    found = {"number": number, "public": key.public.hex(), "alg": key.alg}
    typer.echo(as_json(found) if json else " ".join(found.values()))


def run(folder: Folder) -> None:
    """Run the gateway: keep its devices, read its meters, sign, and send, until it is stopped."""
    console = screen()
    gatewaying.run(folder, on_word=lambda word: console.print(word, markup=False, highlight=False, soft_wrap=True))


def show(folder: Folder, json: Json = False) -> None:
    """Tell what the gateway knows: its devices, what waits, and when it last heard from its community."""
    status = gateway_status.show(folder)
    if json:
        typer.echo(as_json(status))
        return
    heard = f"{status.heard_at:%Y-%m-%d %H:%M:%S} UTC" if status.heard_at else "never"
    typer.echo(f"{status.number} of {status.community}, {'running' if status.running else 'stopped'}")
    typer.echo(f"as of {status.at:%Y-%m-%d %H:%M:%S} UTC; last heard from the community: {heard}")
    typer.echo(status.trouble or f"{status.waiting} requests wait, {status.aside} were put aside")
    for device in status.devices:
        does = "-" if device.power_w is None else f"{device.power_w} W"
        held = f"held {device.lo_w} to {device.hi_w} W" if device.told else "free"
        typer.echo(f"  {device.asset} ({device.kind}, {device.driver}): {does}, {held}  {device.trouble}".rstrip())
    for alarm in status.alarms:
        typer.echo(f"! {alarm.last:%Y-%m-%d %H:%M:%S} {alarm.words} ({alarm.count})")


def register(
    folder: Community,
    number: Number,
    public: Annotated[str, typer.Option(help="Its public key, as `gateway init` prints it.")],
    alg: Alg = SECP256K1,
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Register a gateway with the operator's key; print the operator's own, for the gateway to pin."""
    operator = gateway_joining.register(folder, number, public, host, port, alg)
    told = {"number": number, "public": public, "alg": alg, "community_public": operator}
    typer.echo(as_json(told) if json else f"{number} is registered; community_public = {operator}")


def claim(
    folder: Community,
    member: Annotated[str, typer.Argument(help="Whose key signs, as its file in keys/.")],
    devices: Annotated[Path, typer.Argument(help="The gateway's devices.toml.", exists=True, dir_okay=False)],
    number: Number,
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Claim what is behind a gateway for the member who holds its number."""
    done = gateway_joining.claim(folder, member, number, devices, host, port)
    lines = (f"{one.asset} is {member}'s behind {one.gateway}{'' if one.new else ', as before'}" for one in done)
    typer.echo(as_json(done) if json else "\n".join(lines))
