"""What a gateway tells of itself: written down while it runs, shown to whoever looks."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.apps.gateway_folder import OUTBOX, STATUS, read_gateway
from commonwatt.flows.gateway.running import Alarm
from commonwatt.flows.keeper import Keeper, Kept
from commonwatt.model import AssetId, CommonwattError, Refused


class DeviceStatus(Struct, frozen=True, kw_only=True):
    """How one device fares; power in W, import positive, counters and level in Wh."""

    asset: str
    kind: str
    driver: str
    at: datetime | None = None
    power_w: int | None = None
    import_wh: int | None = None
    export_wh: int | None = None
    level_wh: int | None = None
    connected: bool | None = None
    frequency_mhz: int | None = None
    told: str = ""
    lo_w: int | None = None
    hi_w: int | None = None
    expires: datetime | None = None
    trouble: str = ""


class Status(Struct, frozen=True, kw_only=True):
    """What a gateway knows, as it last wrote it down.

    ``waiting`` and ``aside`` are counted when it is shown; where that cannot be read ``trouble`` says why.
    """

    community: str
    number: str
    public: str
    uplink: str
    at: datetime
    running: bool
    closed_s: int
    heard_at: datetime | None
    devices: list[DeviceStatus]
    alarms: list[Alarm]
    waiting: int = 0
    aside: int = 0
    trouble: str = ""


def show(folder: Path) -> Status:
    """Return what the gateway of a folder last wrote down of itself, and what waits in it now.

    Raises:
        InvalidValue: The folder is no gateway's.
        Refused: It has never run.
    """
    read_gateway(folder)
    if not (folder / STATUS).exists():
        raise Refused("a gateway that has run tells of itself: `commonwatt gateway run`", folder=folder)
    status = msgspec.json.decode((folder / STATUS).read_bytes(), type=Status)
    try:
        with OutboxFile(folder / OUTBOX) as outbox:
            return msgspec.structs.replace(status, waiting=len(outbox), aside=len(outbox.aside()))
    except (CommonwattError, OSError) as error:
        return msgspec.structs.replace(status, trouble=str(error))


def save_status(folder: Path, status: Status) -> None:
    """Write it down whole or not at all; it need not survive a power cut.

    Raises:
        OSError: The disk refuses.
    """
    path = folder / STATUS
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(status))
    beside.replace(path)


def devices_of(keeper: Keeper, drivers: Mapping[AssetId, str]) -> list[DeviceStatus]:
    """Return how each device fares."""
    return [_device(kept, drivers[name]) for name, kept in keeper.kept.items()]


def _device(kept: Kept, driver: str) -> DeviceStatus:
    state, sent = kept.state, kept.sent
    return DeviceStatus(
        asset=kept.asset.id,
        kind=kept.asset.kind,
        driver=driver,
        at=state.at if state else None,
        power_w=state.power_w if state else None,
        import_wh=state.import_wh if state else None,
        export_wh=state.export_wh if state else None,
        level_wh=state.level_wh if state else None,
        connected=state.connected if state else None,
        frequency_mhz=state.frequency_mhz if state else None,
        told=sent.id if sent else "",
        lo_w=sent.band.lo_w if sent else None,
        hi_w=sent.band.hi_w if sent else None,
        expires=sent.expires if sent else None,
        trouble=kept.trouble,
    )
