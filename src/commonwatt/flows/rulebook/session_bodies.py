"""What may stand in the body of a charging session; see `bodies` for all others, `charging` for the rules."""

from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.model import Kind

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Position = Annotated[str, Meta(min_length=1, max_length=16, pattern=r"^[0-9]+\Z")]
_Energy = Annotated[int, Meta(ge=0, le=10**7)]
"""Of one session, Wh: ten megawatt-hours, more than any battery on wheels."""
_Register = Annotated[int, Meta(ge=0, le=10**15)]
"""What a meter's counter shows, Wh."""
_Fee = Annotated[int, Meta(ge=0, le=10**9)]
_Sum = Annotated[int, Meta(gt=0, le=10**12)]
Wish = Annotated[str, Meta(pattern=r"^(any|neighbours|stored)\Z")]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Equip(_Body, frozen=True, tag_field="what", tag="equip"):
    """Lets a station sell through a meter that the account owns: for stations with an account of their own."""

    meter: _Name
    station: _Name


class Tariff(_Body, frozen=True, tag_field="what", tag="tariff"):
    """A station's meter and its own fee, beside the community's price, from a moment on; micro.

    Its first tariff makes it a station that cars can authorise. The meter stays the same for ever.
    """

    meter: _Name
    valid_from_s: _Moment
    fee_micro_per_kwh: _Fee = 0
    fee_micro_per_session: _Fee = 0


class Authorise(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="authorise"):
    """A car's word to one station: how much at most, for how much money at most, and until when.

    The session has the name of this request's place in the log. ``wish`` is the source that it would like best.
    """

    station: _Name
    most_energy_wh: Annotated[int, Meta(gt=0, le=10**7)]
    most_micro: _Sum
    until_s: _Moment
    wish: Wish = "any"


class Start(_Body, frozen=True, tag_field="what", tag="start"):
    """A station begins to deliver; ``register_wh`` is what its meter shows."""

    session: _Position
    register_wh: _Register


class Count(_Body, frozen=True):
    """How much has flowed since the start, by a moment: each one is a running receipt."""

    at_s: _Moment
    energy_wh: _Energy


class Progress(_Body, frozen=True, tag_field="what", tag="progress"):
    """Counts of a running session, one or many, in order; the station's or its gateway's."""

    session: _Position
    counts: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=64)]


class Stop(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="stop"):
    """Ends a session, or lets an authorisation go that nobody started; the station tells its count with it."""

    session: _Position
    energy_wh: _Energy | None = None


class Metered(_Body, frozen=True, tag_field="what", tag="meter"):
    """What the gateway's register showed at a session's start and end: what settles it."""

    session: _Position
    start_wh: _Register
    end_wh: _Register


SessionBody = Equip | Tariff | Authorise | Start | Progress | Stop | Metered

SESSION_BODIES: dict[Kind, object] = {Kind.SESSION: SessionBody}
