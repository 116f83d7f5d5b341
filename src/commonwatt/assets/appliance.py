"""How an appliance behaves that runs a fixed profile once: a washing machine, a dishwasher, a dryer."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.model import SLOT_SECONDS, AssetId, Envelope, InvalidValue, Shift


@dataclass(frozen=True, slots=True)
class RunStep:
    """What an appliance did in a slot, and how many slots it has run; None before it starts."""

    import_wh: int
    ran: int | None


def envelope(
    asset: AssetId, zone: str, profile_w: Sequence[int], slots: int, *, earliest: int = 0, latest: int | None = None
) -> Envelope:
    """Return when an appliance may run.

    Args:
        asset: Whose envelope.
        zone: Where.
        profile_w: Power in each slot from its start, W.
        slots: Length of the horizon.
        earliest: First slot in which it may start.
        latest: Last such slot; one from which it would not end within the horizon counts as the last that does.

    Raises:
        InvalidValue: It cannot end within the horizon at all; then it is not yet to be planned.
    """
    last = slots - len(profile_w)
    if earliest > last:
        raise InvalidValue(
            f"{asset} ends within the horizon, was {len(profile_w)} slots from slot {earliest} of {slots}"
        )
    return Envelope(
        asset=asset,
        zone=zone,
        lo_w=(min(0, *profile_w),) * slots,
        hi_w=(max(0, *profile_w),) * slots,
        shift=Shift(
            profile_w=tuple(profile_w), earliest=earliest, latest=last if latest is None else min(latest, last)
        ),
    )


def started(asset: AssetId, zone: str, profile_w: Sequence[int], slots: int, ran: int) -> Envelope:
    """Return what is left of a run that began some slots ago: nobody can shift it any more."""
    rest = tuple(profile_w[ran : ran + slots])
    power_w = rest + (0,) * (slots - len(rest))
    return Envelope(asset=asset, zone=zone, lo_w=power_w, hi_w=power_w)


def step(profile_w: Sequence[int], ran: int | None, start: bool) -> RunStep:
    """Live through one slot: start where that is asked and has not happened, run on, or stand still."""
    now = 0 if ran is None and start else ran
    if now is None or now >= len(profile_w):
        return RunStep(0, now)
    return RunStep(profile_w[now] * SLOT_SECONDS // 3600, now + 1)
