"""What foxBMS 2 says in its CAN frames, in whole W, V and thousandths, and what it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files

from cantools import database
from cantools.database.can import Database

from commonwatt.model import Band, InvalidValue, Nameplate

REQUEST_ID, STATE_ID, LIMITS_ID, VALUES_ID, ESTIMATE_ID = 0x210, 0x220, 0x232, 0x233, 0x235
DEBUG_ID, RESPONSE_ID = 0x300, 0x301
READ_IDS = frozenset({STATE_ID, LIMITS_ID, VALUES_ID, ESTIMATE_ID})
"""What a `Pack` is made of."""
WHOLE = frozenset({"MajorVersionNumber", "UniqueId", "LotNumber"})
"""One signal of each part that we ask for."""


class Mode(IntEnum):
    """What the BMS may be asked for (RequestBmsMode)."""

    STANDBY = 0
    DISCHARGE = 1
    CHARGE = 2


STATES = (
    "uninitialized",
    "initialization",
    "initialized",
    "idle",
    "open contactors",
    "standby",
    "precharge",
    "normal",
    "discharge",
    "charge",
    "error",
    "undefined",
)
CLOSED = frozenset({"normal", "discharge", "charge"})
"""States in which the contactors are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What the BMS says of its battery.

    Args:
        state: Of its state machine, in words.
        error: Whether it shows an error or is about to open the contactors.
        charge_w: The most that may go in, at its DC side.
        discharge_w: The most that may come out, likewise.
        soc_permille: Level, of the string that has least.
        soh_permille: Health.
        volts: At its poles, tenths of a volt left out.
        power_w: At its DC side, positive as the BMS counts it: discharging, unless it was built otherwise.
    """

    state: str = "unknown"
    error: bool = False
    charge_w: int = 0
    discharge_w: int = 0
    soc_permille: int | None = None
    soh_permille: int | None = None
    volts: int | None = None
    power_w: int | None = None


def told(number: int, data: bytes) -> dict[str, int]:
    """Return what one frame adds to a `Pack`, by field.

    Raises:
        InvalidValue: It is too short, none that is read, or says what cannot be.

    Source: foxBMS 2 v1.11.0, tools/dbc/foxbms.dbc.
    """
    if number not in READ_IDS:
        raise InvalidValue(f"a frame is one of foxBMS's that is read, was {number:#x}")
    raw = _decoded(number, data)
    if number == STATE_ID:
        state = raw["BmsState"]
        if state >= len(STATES):
            raise InvalidValue(f"a BMS's state is 0 to {len(STATES) - 1}, was {state}")
        return {"state": state, "error": raw["GeneralError"] | raw["EmergencyShutoff"]}
    if number == LIMITS_ID:
        return {"charge_w": raw["MaximumChargePower"] * 100, "discharge_w": raw["MaximumDischargePower"] * 100}
    if number == VALUES_ID:
        return {"volts": raw["BatteryVoltage"] // 10, "power_w": raw["Power"] * 10}
    if raw["MinimumSoc"] > 1000:
        raise InvalidValue(f"a battery is full at 100 %, was {raw['MinimumSoc']} thousandths")
    return {"soc_permille": raw["MinimumSoc"], "soh_permille": raw["Soh"] * 5}


def request(mode: Mode) -> bytes:
    """Return the frame that asks the BMS for a mode; everything else in it is left at rest."""
    asked: bytes = _database().get_message_by_frame_id(REQUEST_ID).encode({"RequestBmsMode": int(mode)})
    return asked


def question() -> bytes:
    """Return the frame that asks who it is: its program's version, and its processor's die and lot."""
    asked = {"f_Debug_Mux": 0, "GetBmsSoftwareVersion": 1, "GetMcuUniqueDieId": 1, "GetMcuLotNumber": 1}
    frame: bytes = _database().get_message_by_frame_id(DEBUG_ID).encode(asked)
    return frame


def answer(data: bytes) -> dict[str, int]:
    """Return the signals of one frame that answers who it is: version, die or lot, by its first byte.

    Of an answer to somebody else's question there are none.

    Raises:
        InvalidValue: It has another length.
    """
    return _decoded(RESPONSE_ID, data) if data[:1] in (b"\0", b"\1", b"\2") else {}


def nameplate_of(said: Mapping[str, int]) -> Nameplate:
    """Return what the signals of all answers say; a serial number is its processor's, die and lot.

    Source: foxBMS 2 v1.11.0, tools/dbc/foxbms.dbc (f_DebugResponse).
    """
    version = ".".join(str(said[f"{part}VersionNumber"]) for part in ("Major", "Minor", "Patch"))
    if said["ReleaseDistance"] or said["ReleaseDistanceOverflow"]:
        version += f"+{said['ReleaseDistance']}"  # so many changes after that release, or more
    return Nameplate(
        model="foxBMS 2",
        serial=f"{said['UniqueId']:08x}-{said['LotNumber']:08x}",
        firmware=version + ("-dirty" if said["DirtyFlag"] else ""),
    )


def clamped(band: Band, pack: Pack, discharge_permille: int) -> Band:
    """Return a band within what the BMS allows, at the AC side.

    What comes out of the battery is more than what leaves the inverter; what goes in is less than what it draws.
    """
    most_w, least_w = pack.charge_w, -(pack.discharge_w * discharge_permille // 1000)
    lo_w, hi_w = (max(least_w, min(most_w, edge)) for edge in (band.lo_w, band.hi_w))
    return Band(lo_w=lo_w, hi_w=hi_w, balance_w=band.balance_w)


def _decoded(number: int, data: bytes) -> dict[str, int]:
    """Return a frame's signals as the whole numbers that travel: no scale turns them into floats."""
    if len(data) != 8:
        raise InvalidValue(f"a frame of foxBMS has 8 bytes, was {len(data)} in {number:#x}")
    raw = _database().decode_message(number, data, decode_choices=False, scaling=False)
    return {name: int(value) for name, value in raw.items()}  # type: ignore[union-attr,arg-type]  # none is a container


@cache
def _database() -> Database:
    text = (files(__package__) / "foxbms.dbc").read_text(encoding="utf-8")
    loaded = database.load_string(text, database_format="dbc")
    assert isinstance(loaded, Database)
    return loaded
