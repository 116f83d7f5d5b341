"""A simulated gateway: one home's physics, a key that never leaves it, and a memory that survives a kill."""

import hmac
from collections.abc import Callable
from typing import Literal

import msgspec

from commonwatt.adapters.devices.gateway.translate import Live, Lived, Told, band
from commonwatt.flows.rulebook.bodies import AckBody, AckItem, batch_head, write_body
from commonwatt.identity.keys import SigningKey, sign_request
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Band,
    CommunityId,
    GatewayId,
    InvalidValue,
    Kind,
    Refused,
    Request,
    epoch,
)
from commonwatt.simulator.home import Flow, Home, HomeState, Surroundings


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong on purpose, from a slot up to another.

    ``silent``: the gateway cannot be reached and reports later. ``refuse``: the asset takes no command.
    ``falsify``: the gateway signs half of what the asset imported.
    """

    kind: Literal["silent", "refuse", "falsify"]
    asset: AssetId
    start_s: int
    end_s: int


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a box is told once: who it is, what hangs on it, and what will happen around it."""

    community: str
    number: GatewayId
    seed: str
    assets: list[Asset]
    around: Surroundings | None
    reserve_wh: int = 0
    battery_wh: int = 0
    faults: list[Fault] = []


class Memory(msgspec.Struct):
    """All that a box must not forget: its request number, its levels, and its last answer."""

    seq: int = 0
    battery_wh: int = 0
    car_wh: int | None = None
    last: Lived | None = None
    held: list[bytes] = []


class Box:
    """The gateway of one home, or the meter at the feeder where there is no home behind it.

    Args:
        spec: Who it is.
        key: Its own key.
        memory: What it remembers from an earlier life.
        save: Makes a memory durable; called before every answer.
    """

    def __init__(self, spec: Spec, key: SigningKey, memory: Memory | None, save: Callable[[Memory], None]) -> None:
        self._spec, self._key, self._save = spec, key, save
        self._seed = f"{spec.seed} {spec.number} blind".encode()
        self._memory = memory or Memory(battery_wh=spec.battery_wh)
        self._assets = {asset.id: asset for asset in spec.assets}
        self._home = None
        if spec.around is not None:
            self._home = Home(
                assets={asset.kind: asset for asset in spec.assets},
                around=spec.around,
                state=HomeState(self._memory.battery_wh, self._memory.car_wh),
                reserve_wh=spec.reserve_wh,
            )

    def live(self, ask: Live) -> Lived:
        """Let a slot pass; asking again for the last slot returns the same answer."""
        last = self._memory.last
        if last is not None and last.slot_s == ask.slot_s:
            return last
        if last is not None and ask.slot_s != last.slot_s + SLOT_SECONDS:
            raise Refused("slots pass one by one", gateway=self._spec.number, last=last.slot_s, asked=ask.slot_s)
        silent = bool(self._faulty("silent", ask.slot_s))
        acks, bands = self._take([] if silent else ask.commands, ask.slot_s)
        flows = self._flows(ask, bands)
        if acks:
            acked = AckBody(gateway=self._spec.number, slot_s=ask.slot_s, acks=acks)
            self._sign(Kind.ACK, write_body(acked))
        items = self._readings(flows, ask.slot_s)
        self._sign(Kind.READING_BATCH, write_body(batch_head(self._spec.number, items)), items)
        requests = [] if silent else self._memory.held
        self._memory.held = self._memory.held if silent else []
        self._memory.last = Lived(slot_s=ask.slot_s, requests=requests, net_wh=self._net_wh(flows))
        if self._home is not None:
            self._memory.battery_wh, self._memory.car_wh = self._home.state.battery_wh, self._home.state.car_wh
        self._save(self._memory)
        return self._memory.last

    def _take(self, commands: list[Told], slot_s: int) -> tuple[list[AckItem], dict[AssetId, Band]]:
        """Take the commands that can be taken; say of each what became of it."""
        acks: list[AckItem] = []
        bands: dict[AssetId, Band] = {}
        refusing = self._faulty("refuse", slot_s)
        for command in commands:
            why = self._why_not(command, slot_s, refusing)
            if why:
                acks.append(AckItem(command=command.id, asset=command.asset, why=why))
                continue
            asset, asked = self._assets[command.asset], band(command)
            lo_w = max(asked.lo_w, -asset.max_export_w)
            taken = Band(lo_w=lo_w, hi_w=max(lo_w, min(asked.hi_w, asset.max_import_w)), balance_w=asked.balance_w)
            bands[asset.id] = taken
            acks.append(AckItem(command=command.id, asset=asset.id, lo_w=taken.lo_w, hi_w=taken.hi_w))
        return acks, bands

    def _why_not(self, command: Told, slot_s: int, refusing: list[AssetId]) -> str:
        if command.asset not in self._assets:
            return "no such asset here"
        if epoch(command.expires) <= slot_s:
            return "command has expired"
        if command.asset in refusing:
            return "device does not take commands now"
        try:
            band(command)
        except InvalidValue as error:
            return str(error)
        return ""

    def _flows(self, ask: Live, bands: dict[AssetId, Band]) -> dict[AssetId, Flow]:
        if self._home is None:
            (feeder,) = self._assets
            return {feeder: Flow(max(0, ask.wires_wh), max(0, -ask.wires_wh))}
        if ask.slot_s < self._home.around.start_s:
            return self._home.commission()
        return self._home.step(ask.slot_s, bands)

    def _readings(self, flows: dict[AssetId, Flow], slot_s: int) -> bytes:
        falsified, registers = self._faulty("falsify", slot_s), list(self._assets)
        return encode_items(
            [
                Item(
                    start_s=slot_s,
                    register=register,
                    import_wh=flows[asset].import_wh // 2 if asset in falsified else flows[asset].import_wh,
                    export_wh=flows[asset].export_wh,
                    level_wh=flows[asset].level_wh,
                    blind=int.from_bytes(hmac.digest(self._seed, f"{slot_s} {register}".encode(), "sha256")[:8]),
                )
                for register, asset in enumerate(registers)
                if asset in flows
            ]
        )

    def _net_wh(self, flows: dict[AssetId, Flow]) -> int:
        for asset, flow in flows.items():
            if self._assets[asset].kind in (AssetKind.CONNECTION, AssetKind.FEEDER):
                return flow.import_wh - flow.export_wh
        raise Refused("a home has a connection", gateway=self._spec.number)

    def _faulty(self, kind: str, slot_s: int) -> list[AssetId]:
        return [f.asset for f in self._spec.faults if f.kind == kind and f.start_s <= slot_s < f.end_s]

    def _sign(self, kind: Kind, body: dict[str, object], items: bytes = b"") -> None:
        self._memory.seq += 1
        request = Request(
            community=CommunityId(self._spec.community),
            kind=kind,
            author=self._key.id,
            seq=self._memory.seq,
            on_behalf_of=AccountId(self._spec.number),
            body=body,
            items=items,
        )
        self._memory.held.append(sign_request(request, self._key).wire_bytes())
