"""What a run's folder can show of utility contracts: what was promised, delivered and paid, window by window."""

from dataclasses import dataclass
from pathlib import Path

from commonwatt.apps.wiring import open_log
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import State
from commonwatt.flows.sequence import replay
from commonwatt.market.contracts.standing import Contract, Part
from commonwatt.market.contracts.terms import Window
from commonwatt.model import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPart:
    """One member's part in one window; energy in Wh, money in micro from utility to member.

    Args:
        contract: The contract's place in the log.
        utility: Who offered it.
        start_s: When the window begins, seconds since 1970.
        end_s: When it ends.
        direction: ``charge`` or ``give back``.
        called: Whether anybody had to move.
        member: Who promised.
        asset: Whose meter counts.
        promised_w: What was promised.
        stage: How far it has come.
        promised_wh: What was called of it and could be measured; 0 until then.
        delivered_wh: What was delivered.
        due_micro: What it comes to; paid where the stage says so.
    """

    contract: str
    utility: str
    start_s: int
    end_s: int
    direction: str
    called: bool
    member: str
    asset: str
    promised_w: int
    stage: str
    promised_wh: int
    delivered_wh: int
    due_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownContract:
    """A contract that stands.

    Args:
        contract: Its place in the log.
        utility: Who offered it.
        accept_by_s: From when on nobody can accept it, seconds since 1970.
        windows_to_come: How many of its windows have neither begun nor been called.
        members: How many promises stand.
        give_back_w: What is promised in windows that ask to give back.
        charge_w: Likewise to charge.
        held_micro: What the utility holds for it.
    """

    contract: str
    utility: str
    accept_by_s: int
    windows_to_come: int
    members: int
    give_back_w: int
    charge_w: int
    held_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All of a log's contracts: those that stand, and every part of a window that began, in order of time."""

    standing: list[ShownContract]
    parts: list[ShownPart]


def show_contracts(folder: Path) -> Shown:
    """Return what a run's log tells of contracts, as of its end.

    Raises:
        Refused: There is no log, or nothing in it.
        Corrupt: The log contradicts itself.
    """
    with open_log(folder) as log:
        rows = list(log.rows())
    if not rows:
        raise Refused("the log is empty", folder=folder)
    found = replay(rows, read_head(rows[0].body).community, keep=True)
    return shown(found.state, found.last_s)


def shown(state: State, now_s: int) -> Shown:
    """Return what a state that was replayed with everything kept tells of contracts."""
    standing = state.contracts.standing.values()
    parts = [_part(p.contract, p.utility, p.window, p.part, called=p.called) for p in state.contracts.past]
    for contract in standing:
        for call in contract.calls.values():
            open_parts = (part for part in call.parts.values() if part.stage != "paid")
            parts += [
                _part(contract.id, contract.terms.utility, call.window, part, called=call.called) for part in open_parts
            ]
    return Shown(
        standing=[_contract(contract, now_s) for contract in standing],
        parts=sorted(parts, key=lambda part: (part.start_s, int(part.contract), part.member, part.asset)),
    )


def _contract(contract: Contract, now_s: int) -> ShownContract:
    promises = contract.accepted.values()
    return ShownContract(
        contract=contract.id,
        utility=contract.terms.utility,
        accept_by_s=contract.accept_by_s,
        windows_to_come=len(list(contract.to_come())),
        members=len(promises),
        give_back_w=sum(promise.up_w for promise in promises),
        charge_w=sum(promise.down_w for promise in promises),
        held_micro=contract.utility_owes_most(now_s),
    )


def _part(contract: str, utility: str, window: Window, part: Part, *, called: bool) -> ShownPart:
    return ShownPart(
        contract=contract,
        utility=utility,
        start_s=window.start_s,
        end_s=window.end_s,
        direction=window.direction.value,
        called=called,
        member=part.account,
        asset=part.asset,
        promised_w=part.power_w,
        stage=part.stage.value,
        promised_wh=part.promised_wh,
        delivered_wh=part.delivered_wh,
        due_micro=part.due.net_micro,
    )
