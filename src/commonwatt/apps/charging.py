"""What a run's folder tells of money for charging: a session's receipt, and what storage owes the operator."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from commonwatt.adapters.devices.ocpp.charge_point import token_of
from commonwatt.adapters.devices.ocpp.ocmf import Notary, span
from commonwatt.adapters.devices.ocpp.tokens import same_token
from commonwatt.apps.wiring import open_log
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.charging import charging, operating
from commonwatt.flows.rulebook.charging.sessions import ChargingSession, Receipt
from commonwatt.flows.sequence import replay
from commonwatt.model import AccountId, AssetId, Commodity, Corrupt, InvalidValue, Refused
from commonwatt.settlement.charging import Line, Mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What the station's own meter signed of a session, judged again from the log alone.

    Args:
        meter: Serial number that the station's tariff pins; empty where it pins none: then nothing is signed.
        key: Public key that it pins, DER in hexadecimal.
        energy_wh: What the meter signed; None where nothing is signed, or it does not hold.
        trouble: Why it does not hold; empty where it does.
        records: As they stand in the log, for any program that reads OCMF.
    """

    meter: str = ""
    key: str = ""
    energy_wh: int | None = None
    trouble: str = ""
    records: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReceipt:
    """A session as the log has it; energy in Wh, money in micro.

    Args:
        session: Its name: where it was authorised in the log.
        car: Who pays.
        station: Who is paid.
        state: ``authorised``, ``charging``, ``ended`` (it waits for its meter or its slots), or ``closed``.
        source: What the car would rather have.
        met_wh: How much of what was billed was so.
        authorised_wh: The most that the car takes.
        authorised_micro: The most that it pays.
        started_s: When the station began; None where it never did.
        ended_s: When energy ceased to flow.
        ended_by: Who or what ended it.
        register_wh: What the station said that its meter showed at the start.
        metered: What the gateway read at start and end; None where it did not.
        signed: What became of the meter's own signature, see `signature_of`.
        counted_wh: The station's last signed count.
        difference_wh: That less what the gateway read; None without its reading.
        billed_wh: What is paid for.
        lines: Slot by slot: energy, price, cost, and where it came from.
        mix: Where all of it came from.
        energy_micro: What the energy costs.
        service_micro: The station's fee.
        paid_micro: What was booked from car to station.
        unpaid_micro: What went beyond what was authorised: the station's loss.
    """

    session: str
    car: AccountId
    station: AccountId
    state: str
    source: str
    met_wh: int
    authorised_wh: int
    authorised_micro: int
    started_s: int | None
    ended_s: int | None
    ended_by: str
    register_wh: int
    metered: tuple[int, int] | None
    signed: Signature
    counted_wh: int
    difference_wh: int | None
    billed_wh: int
    lines: tuple[Line, ...]
    mix: Mix
    energy_micro: int
    service_micro: int
    paid_micro: int
    unpaid_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What one asset's storage came to, in micro: owed to the operator, and waived under a licence."""

    owner: AccountId
    asset: AssetId
    owed_micro: int
    waived_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings:
    """What the operator earns by storage, in micro.

    Args:
        charged_micro_per_kwh: The charter's rate for what storage takes in.
        discharged_micro_per_kwh: Its rate for what storage gives out.
        assets: By owner and asset.
        licences: What each account paid for licences.
        commission_micro: Sum of what is owed.
        licences_micro: Sum of what licences brought.
        waived_micro: Sum of what they waived.
    """

    charged_micro_per_kwh: int
    discharged_micro_per_kwh: int
    assets: tuple[Owed, ...]
    licences: tuple[tuple[AccountId, int], ...]
    commission_micro: int
    licences_micro: int
    waived_micro: int


def session_receipt(folder: Path, session: str) -> SessionReceipt:
    """Return what a run's log tells of a charging session.

    Args:
        folder: The run's.
        session: Its name, the position of its authorisation in the log.

    Raises:
        Refused: There is no log, or no session of that name.
        Corrupt: The log contradicts itself.
    """
    state = _state(folder)
    standing = state.sessions.standing.get(session)
    closed = [receipt for receipt in state.sessions.receipts or () if receipt.session.id == session]
    if not closed and standing is None:
        raise Refused("no charging session has this name", session=session)
    found = _show(closed[-1], "closed") if standing is None else _show(Receipt(session=standing, bill=None))
    paid_micro = sum(
        entry.amount if entry.source == found.car else -entry.amount
        for entry in state.entries
        if entry.ref == session
        and entry.memo in (charging.PAID, charging.CORRECTED)
        and entry.commodity is Commodity.ERGON
    )
    if paid_micro != found.paid_micro:
        raise Corrupt(f"the receipt of session {session} tells {found.paid_micro} micro, its entries {paid_micro}")
    return found


def earnings(folder: Path) -> Earnings:
    """Return what storage owed the operator over a run, by whom, and for whom it was waived.

    Raises:
        Refused: There is no log.
        Corrupt: The log contradicts itself.
    """
    state = _state(folder)
    owed, waived = Counter[tuple[AccountId, AssetId]](), Counter[tuple[AccountId, AssetId]]()
    bought = Counter[AccountId]()
    for entry in state.entries:
        if entry.memo in (operating.OWED, operating.CORRECTED):
            back = entry.source == operating.OPERATOR
            owner = entry.target if back else entry.source
            owed[owner, AssetId(entry.ref)] += -entry.amount if back else entry.amount
        elif entry.memo == operating.BOUGHT:
            bought[entry.source] += entry.amount
    for one in state.licences.waived or ():
        waived[one.owner, one.asset] += one.micro
    return Earnings(
        charged_micro_per_kwh=state.charter.operator_micro_per_kwh_charged,
        discharged_micro_per_kwh=state.charter.operator_micro_per_kwh_discharged,
        assets=tuple(
            Owed(owner=owner, asset=asset, owed_micro=owed[owner, asset], waived_micro=waived[owner, asset])
            for owner, asset in sorted({*owed, *waived})
        ),
        licences=tuple(sorted(bought.items())),
        commission_micro=sum(owed.values()),
        licences_micro=sum(bought.values()),
        waived_micro=sum(waived.values()),
    )


def _state(folder: Path) -> State:
    with open_log(folder) as log:
        rows = list(log.rows())
    if not rows:
        raise Refused("the log is empty", folder=folder)
    return replay(rows, read_head(rows[0].body).community, keep=True).state


def _show(receipt: Receipt, state: str = "") -> SessionReceipt:
    session, bill = receipt.session, receipt.bill
    lines = bill.lines if bill else ()
    mix = Mix(
        solar_wh=sum(line.mix.solar_wh for line in lines),
        watt_wh=sum(line.mix.watt_wh for line in lines),
        other_wh=sum(line.mix.other_wh for line in lines),
        grid_wh=sum(line.mix.grid_wh for line in lines),
    )
    met = {"solar": mix.solar_wh, "renewable": mix.solar_wh + mix.watt_wh}
    metered_wh = session.metered_wh
    return SessionReceipt(
        session=session.id,
        car=session.car,
        station=session.station,
        state=state or _stage(session),
        source=session.source,
        met_wh=met.get(session.source, mix.total_wh),
        authorised_wh=session.most_wh,
        authorised_micro=session.most_micro,
        started_s=session.started_s,
        ended_s=session.ended_s,
        ended_by=session.ended_by,
        register_wh=session.register_wh,
        metered=session.metered,
        signed=signature_of(session),
        counted_wh=session.counted_wh,
        difference_wh=None if metered_wh is None else session.counted_wh - metered_wh,
        billed_wh=session.billed_wh,
        lines=lines,
        mix=mix,
        energy_micro=bill.energy_micro if bill else 0,
        service_micro=bill.service_micro if bill else 0,
        paid_micro=session.paid_micro,
        unpaid_micro=bill.unpaid_micro if bill else 0,
    )


def signature_of(session: ChargingSession) -> Signature:
    """Judge the records of a session by the key that its station's tariff pins, whoever let them into the log."""
    terms, records = session.terms, session.signed
    found = Signature(meter=terms.signs_as, key=terms.signs_by, records=records)
    if not records:
        return found
    try:
        notary = Notary(terms.signs_as, terms.signs_by, rounds_down=True)
        read = [notary.verify(raw) for raw in records]
        token = token_of(session.id)
        if other := [one.user for one in read if one.user and not same_token(one.user, token)]:
            raise Refused("signed record of another user", session=session.id, found=other[0])
        both = span(read)
        if both is None:
            raise Refused("signed records tell a start and an end", session=session.id)
        energy_wh = both[1] - both[0]
        if session.metered_wh is not None and session.metered_wh > energy_wh:
            raise Refused("no more is read than was signed", read_wh=session.metered_wh, signed_wh=energy_wh)
    except (InvalidValue, Refused) as error:
        return replace(found, trouble=str(error))
    return replace(found, energy_wh=energy_wh)


def _stage(session: ChargingSession) -> str:
    if session.started_s is None:
        return "authorised"
    return "charging" if session.ended_s is None else "ended"
