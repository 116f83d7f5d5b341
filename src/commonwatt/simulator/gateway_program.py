"""A gateway in simulated time as a program of its own: its key in its own folder, its devices on real wires.

Run by the gateway adapter as ``python -m commonwatt.simulator.gateway_program FOLDER``. The first line that it reads
tells it who it is and where its devices are; every further one is a step of a slot. It ends when its input does.
"""

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.gateway.translate import Hello, Lived, Slot, command
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.flows.gateway.gateway import Counter, Gateway, Identity
from commonwatt.flows.keeper import Keeper
from commonwatt.identity.keys import SigningKey
from commonwatt.model import SLOT_SECONDS, Asset, AssetKind, CommonwattError, GatewayId, instant
from commonwatt.simulator.lines import lines, say

LAST = "last.json"
FOUND_WITHIN_S = 20.0
"""Devices and gateway are started side by side; a station calls, and is not called."""


class GatewaySpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway is told once: who it is, what is behind it and where, and what its clock shows at first."""

    community: str
    number: GatewayId
    seed: str
    timezone: str
    begins_s: int
    assets: list[Asset]
    devices: list[DeviceSpec]


class Answered(msgspec.Struct):
    """What it said last, so that it says the same when it is asked again."""

    slot_s: int = 0
    requests: list[bytes] = []


class Program:
    """One gateway, asked step by step."""

    def __init__(self, gateway: Gateway, outbox: OutboxFile, path: Path, last: Answered) -> None:
        self._gateway, self._outbox, self._path, self._last = gateway, outbox, path, last

    async def step(self, slot: Slot) -> Lived:
        """Do a step of a slot; what was signed is handed over when its meters are read."""
        if slot.phase == "tell":
            await self._gateway.meet(slot.slot_s)
            await self._gateway.tell([command(told) for told in slot.commands], slot.slot_s, instant(slot.now_s))
            return Lived(slot_s=slot.slot_s, requests=[])
        if slot.slot_s != self._last.slot_s:
            await self._gateway.close_slot(slot.slot_s)
            waiting = self._outbox.waiting(10_000)
            self._last = Answered(slot_s=slot.slot_s, requests=[wire for _, wire in waiting])
            save_secret(self._path, msgspec.json.encode(self._last))
            self._outbox.done([place for place, _ in waiting])
        return Lived(slot_s=slot.slot_s, requests=self._last.requests)


async def main(folder: Path) -> None:
    """Serve until the input ends."""
    told = await lines()
    spec = msgspec.json.decode(await told.readline(), type=GatewaySpec)
    key, last = own_key(folder, spec), last_answer(folder)
    # What devices say before the first step is as old as the step before: a clock at zero would find it in the future.
    now_s, found = max(spec.begins_s, last.slot_s + SLOT_SECONDS), False

    def clock() -> datetime:
        return instant(now_s)

    async with Doors(clock=clock, folder=folder) as doors:
        with OutboxFile(folder / "outbox.sqlite") as outbox:
            gateway = await _gateway(spec, key, doors, outbox)
            program = Program(gateway, outbox, folder / LAST, last)
            say(Hello(number=spec.number, public=key.public.hex()))
            while line := await told.readline():
                slot = msgspec.json.decode(line, type=Slot)
                now_s = slot.now_s
                if not found:
                    await _find(gateway.keeper)
                    found = True
                say(await program.step(slot))


async def _gateway(spec: GatewaySpec, key: SigningKey, doors: Doors, outbox: OutboxFile) -> Gateway:
    """Open the devices and put the gateway in front of them."""
    assets = {asset.id: asset for asset in spec.assets}
    devices = {}
    for one in spec.devices:
        devices[one.asset] = (assets[one.asset], await open_device(assets[one.asset], one, doors))
    line = next((asset.id for asset in spec.assets if asset.kind is AssetKind.CONNECTION), None)
    identity = Identity(
        community=spec.community,
        number=spec.number,
        secret=f"{spec.seed} {spec.number} blind".encode(),
        timezone=spec.timezone,
    )
    meters = {one.asset: Counter(rollover_wh=one.rollover_wh, resolution_wh=one.resolution_wh) for one in spec.devices}
    return Gateway(identity, spec.assets, Keeper(devices, line), key, outbox, meters)


async def _find(keeper: Keeper) -> None:
    """Wait until every device has been heard.

    Raises:
        Unreachable: One was not.
    """
    async with asyncio.timeout(FOUND_WITHIN_S):
        while len(await keeper.read()) < len(keeper.kept):
            await asyncio.sleep(0.02)


def last_answer(folder: Path) -> Answered:
    """Return what the gateway said last in an earlier life."""
    path = folder / LAST
    return msgspec.json.decode(load_secret(path), type=Answered) if path.exists() else Answered()


def own_key(folder: Path, spec: GatewaySpec) -> SigningKey:
    """Return the gateway's key: made at its first start, kept encrypted, never told to anyone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, words = folder / "key.pem", passphrase(folder / "passphrase")
    if path.exists():
        return SigningKey.from_pem(load_secret(path), words)
    key = SigningKey.from_seed(spec.seed.encode(), spec.number)
    save_secret(path, key.to_pem(words))
    return key


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1])))
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone; nothing is lost, since the memory was saved before the answer
    except (OSError, TimeoutError, CommonwattError) as error:
        why = error or "a device was not heard"
        print(f"gateway {sys.argv[1]}: {why}", file=sys.stderr)  # noqa: T201  its only way to say why it ends
        os._exit(1)
