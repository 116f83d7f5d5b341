"""What may stand in a request's body, per kind: decoded strictly, so that nothing unknown is ever signed for."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.model import MAX_SAFE_INTEGER, AssetKind, InvalidValue, Kind, Side, Verb

Whole = Annotated[int, Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
Count = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
"""Seconds since 1970, up to the year 3000: beyond, calendars disagree."""
Watts = Annotated[int, Meta(ge=0, le=10**9)]
Energy = Annotated[int, Meta(ge=0, le=10**9)]
Price = Annotated[int, Meta(ge=-(10**9), le=10**9)]
"""Micro per kWh, up to a thousand units of money for one: with `Energy`, no sum of a slot leaves +-(2^53-1)."""
Text = Annotated[str, Meta(max_length=400)]
PublicKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{66}\Z")]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    pass


class RegisterCommunity(_Body, frozen=True, tag_field="what", tag="community"):
    """The first leaf: who runs the community, and its parameters. ``public`` is the operator's own key.

    ``gate_s`` is how long into its slot the slot market stays open, ``grace_slots`` how long settlement waits.
    """

    public: PublicKey
    timezone: Annotated[str, Meta(max_length=64, pattern=r"^(UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)+)\Z")]
    b_max_wh: Energy
    grace_slots: Annotated[int, Meta(ge=0, le=10_000)]
    gate_s: Annotated[int, Meta(ge=0, le=900)]


class RegisterKey(_Body, frozen=True, tag_field="what", tag="key"):
    """A key with its role, and the account that it acts for."""

    public: PublicKey
    alg: Annotated[str, Meta(pattern=r"^secp256k1\Z")]
    role: Annotated[str, Meta(pattern=r"^(member|planner|oracle|dso|payment)\Z")]
    account: Name


class RegisterGateway(_Body, frozen=True, tag_field="what", tag="gateway"):
    """A gateway by the number on its case, and the key that its secure element made."""

    gateway: Name
    public: PublicKey
    alg: Annotated[str, Meta(pattern=r"^secp256k1\Z")]


class RegisterAsset(_Body, frozen=True, tag_field="what", tag="asset"):
    """An asset behind a gateway; registering it with the gateway's number is how a member claims it (row H1)."""

    asset: Name
    gateway: Name
    asset_kind: AssetKind
    zone: Name
    max_import_w: Watts
    max_export_w: Watts
    min_import_w: Watts = 0
    capacity_wh: Energy = 0
    charge_permille: Annotated[int, Meta(ge=1, le=1000)] = 1000
    discharge_permille: Annotated[int, Meta(ge=1, le=1000)] = 1000


Register = RegisterCommunity | RegisterKey | RegisterGateway | RegisterAsset


class ConstraintBody(_Body, frozen=True):
    """One line of the constraint language, and the instant that its dates without year refer to."""

    text: Text
    said_s: Moment


class ReadingItem(_Body, frozen=True):
    """One meter's counts over the batch's interval, in Wh."""

    asset: Name
    import_wh: Energy
    export_wh: Energy
    level_wh: Energy | None = None


class ReadingBatch(_Body, frozen=True):
    """What one gateway's meters saw in one slot; one signature covers all."""

    gateway: Name
    slot_s: Moment
    readings: Annotated[list[ReadingItem], Meta(min_length=1, max_length=64)]


class OrderBody(_Body, frozen=True):
    """A wish to buy or sell; ``slot_s`` for the slot market, none for the WATT book."""

    side: Side
    energy_wh: Annotated[int, Meta(gt=0, le=10**9)]
    price_micro_per_kwh: Annotated[int, Meta(ge=0, le=10**9)]
    slot_s: Moment | None = None


class CancelBody(_Body, frozen=True):
    """Takes a WATT order out of the book."""

    order: Name


class FactBody(_Body, frozen=True):
    """An oracle's fact: import and export price in micro per kWh, slot by slot from a start."""

    start_s: Moment
    prices: Annotated[list[tuple[Price, Price]], Meta(min_length=1, max_length=400)]


class InstructionItem(_Body, frozen=True):
    """One diary entry of a schedule; see `commonwatt.model.Instruction`."""

    verb: Verb
    start_s: Moment
    end_s: Moment
    power_w: Whole
    expected_wh: Whole
    reason: Text
    balance_w: Whole | None = None


class ScheduleBody(_Body, frozen=True):
    """The instructions of one asset from one plan on."""

    asset: Name
    issued_s: Moment
    instructions: Annotated[list[InstructionItem], Meta(min_length=1, max_length=200)]


class ConsentBody(_Body, frozen=True):
    """An owner's standing yes or no to being scheduled; a no wins over every plan."""

    asset: Name
    standing: bool


class AckItem(_Body, frozen=True):
    """What a device did with a command: the band that it took, or why it took none."""

    command: Annotated[str, Meta(max_length=100)]
    asset: Name
    lo_w: Whole | None = None
    hi_w: Whole | None = None
    why: Text = ""


class AckBody(_Body, frozen=True):
    """Answers of one gateway to the commands of one slot."""

    gateway: Name
    slot_s: Moment
    acks: Annotated[list[AckItem], Meta(min_length=1, max_length=64)]


class PurchaseBody(_Body, frozen=True):
    """ERGON bought for an account; the reference is the payment provider's own and counts once."""

    account: Name
    amount_micro: Annotated[int, Meta(gt=0, le=10**12)]
    reference: Annotated[str, Meta(min_length=1, max_length=100)]


class CheckpointBody(_Body, frozen=True):
    """The signed note of a checkpoint over everything before it."""

    note: Annotated[str, Meta(max_length=4000)]


_BODIES: dict[Kind, object] = {
    Kind.REGISTER: Register,
    Kind.CONSTRAINT: ConstraintBody,
    Kind.READING_BATCH: ReadingBatch,
    Kind.ORDER: OrderBody,
    Kind.CANCEL: CancelBody,
    Kind.FACT: FactBody,
    Kind.SCHEDULE: ScheduleBody,
    Kind.CONSENT: ConsentBody,
    Kind.ACK: AckBody,
    Kind.PURCHASE: PurchaseBody,
    Kind.CHECKPOINT: CheckpointBody,
}


def read_body(kind: Kind, body: Mapping[str, object]) -> object:
    """Decode a body into the shape of its kind.

    Raises:
        InvalidValue: A field is missing, unknown, or not what it should be; says which.
    """
    try:
        return msgspec.convert(body, _BODIES[kind])
    except msgspec.ValidationError as error:
        raise InvalidValue(f"a body of kind {kind} cannot be read: {error}") from error


def write_body(body: Struct) -> dict[str, object]:
    """Return the JSON object of a body, as it is signed."""
    plain = msgspec.to_builtins(body)
    assert isinstance(plain, dict)
    return {name: value for name, value in plain.items() if value is not None}
