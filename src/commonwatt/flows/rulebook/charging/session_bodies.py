"""What may stand in the body of a request about charging at a station; see `bodies` for all others."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from commonwatt.model import Kind

MOST_COUNTS = 96
"""Counts in one request: a day of quarter-hours that a link was down."""
_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Energy = Annotated[int, Meta(ge=0, le=10**9)]
_Register = Annotated[int, Meta(ge=0, le=10**15)]
"""What a register of energy shows, in Wh, ever since it was built in."""
_Serial = Annotated[str, Meta(max_length=64, pattern=r"^[!-~]*\Z")]
_MeterKey = Annotated[str, Meta(max_length=512, pattern=r"^([0-9a-f]{2})*\Z")]
"""A public key, DER in hexadecimal."""
_Record = Annotated[str, Meta(max_length=8192, pattern=r"^OCMF\|")]
MOST_RECORDS = 2
"""A signed record of the start and one of the end, or one of both."""
_Fee = Annotated[int, Meta(ge=0, le=10**9)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Tariff(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="tariff"):
    """What a station asks for its service from a moment on, beyond the energy; micro.

    ``meter`` is the station's own meter among the registered assets, through whose gateway its register is read.
    ``silent_s`` is how long the station may be silent before a session counts as ended. ``signs_as`` and ``signs_by``
    are serial number and public key of the meter in the station, as they were read off it when it was built in; where
    they are told, no reading counts without the records that this meter signed.
    """

    meter: _Name
    from_s: _Moment
    micro_per_kwh: _Fee = 0
    micro_per_session: _Fee = 0
    silent_s: Annotated[int, Meta(ge=60, le=86_400)] = 1_800
    signs_as: _Serial = ""
    signs_by: _MeterKey = ""


class Authorise(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="authorise"):
    """A car's word that it will charge at a station: how much at most, for how much ERGON, and until when.

    ``source`` is what it would rather have; the receipt tells how much of it came.
    """

    station: _Name
    most_wh: Annotated[int, Meta(gt=0, le=10**9)]
    most_micro: Annotated[int, Meta(gt=0, le=10**12)]
    until_s: _Moment
    source: Literal["any", "renewable", "solar"] = "any"


class Start(_Body, frozen=True, tag_field="what", tag="start"):
    """The station begins; ``register_wh`` is what its meter shows. A session is named by where it was authorised."""

    session: _Name
    register_wh: _Register


class CountItem(_Body, frozen=True):
    """How much has flowed since the start, and when that was counted."""

    at_s: _Moment
    energy_wh: _Energy


class Progress(_Body, frozen=True, tag_field="what", tag="progress"):
    """What has flowed so far, in order of time: signed, so each count is a running receipt."""

    session: _Name
    counts: Annotated[tuple[CountItem, ...], Meta(min_length=1, max_length=MOST_COUNTS)]


class Stop(_Body, frozen=True, tag_field="what", tag="stop"):
    """The car leaves, or the station ends; before the start the car takes its word back, or the station declines."""

    session: _Name


class Metered(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="metered"):
    """The gateway's reading of the station's register for a session that has ended: at its start and at its end.

    ``signed`` are the records (OCMF) of the station's meter that say so, for a station whose meter signs.
    """

    session: _Name
    began_wh: _Register
    ended_wh: _Register
    signed: Annotated[tuple[_Record, ...], Meta(max_length=MOST_RECORDS)] = ()


Session = Tariff | Authorise | Start | Progress | Stop | Metered

SESSION_BODIES: dict[Kind, object] = {Kind.SESSION: Session}
