"""The whole problem as one program: devices, meters, statements and money."""

from dataclasses import dataclass

import numpy as np

from commonwatt.flexibility.exact import devices
from commonwatt.flexibility.exact.devices import KWH_PER_W, Device
from commonwatt.flexibility.exact.matrix import NOTHING, Matrix, Numbers, Values, joined, terms
from commonwatt.flexibility.exact.statements import Places, Statement, state, window
from commonwatt.flexibility.problem import Connection, Problem
from commonwatt.model import AssetId, Quantity

SOONER = 1e-6
"""Currency per kWh and slot that a plan which slides pays for waiting, so that ties go to the earlier slot."""
NO_SLOTS = np.zeros(0, np.int64)
OF_LEVELS = frozenset(
    {Quantity.CHARGE, Quantity.BATTERY, Quantity.TEMPERATURE, Quantity.RESERVE_UP, Quantity.RESERVE_DOWN}
)


@dataclass(slots=True)
class Program:
    """A problem as a matrix, and where to find things in it.

    Args:
        problem: What was asked.
        matrix: Columns and rows.
        devices: One per envelope, in the problem's order.
        statements: Those that are about something here.
        balance: A row per slot: bought less sold less what is drawn.
        bought: A column per slot.
        sold: Likewise.
        money: Cost per column, in currency.
        offset: Cost of what cannot be decided.
        waiting: The part of ``money`` that only breaks ties.
        most_waiting: What it can come to.
        room_wh: What was asked of stores beyond their stated least levels.
    """

    problem: Problem
    matrix: Matrix
    devices: list[Device]
    statements: list[Statement]
    balance: Numbers
    bought: Numbers
    sold: Numbers
    money: Values
    offset: float
    waiting: Values
    most_waiting: float
    room_wh: int


def build(problem: Problem, *, steps: int | None = None, sooner: bool = False, room_wh: int = 0) -> Program:
    """Return a problem as a program.

    Args:
        problem: What is asked.
        steps: Slots from the first in which least powers and least times are kept; None for all.
        sooner: True to break ties in favour of the earlier slot.
        room_wh: What is asked of a store beyond a stated least level.
    """
    matrix, slots = Matrix(), problem.slots
    whole = slots if steps is None else steps
    counted, asked = _asked(problem)
    made = [
        devices.add(matrix, e, steps=whole, count_on=e.asset in counted, asked=asked.get(e.asset, NO_SLOTS))
        for e in problem.envelopes
    ]
    costs = _Costs()
    balance, bought, sold = _balance(matrix, problem, made, costs)
    for device in made:
        _own_costs(matrix, problem, device, costs)
    for connection in problem.connections:
        _crossing(matrix, problem, connection, made, costs)
    places = Places(made)
    stated = [state(matrix, problem, places, constraint, room_wh) for constraint in problem.constraints]
    waiting, most_waiting = np.zeros(matrix.width), 0.0
    for device in made:
        if sooner and device.level is not None:
            np.add.at(waiting, device.draw.columns, SOONER * (device.draw.rows + 1) * device.draw.weights)
            most = np.maximum(device.envelope.hi_w, 0) * KWH_PER_W
            most_waiting += SOONER * float(most @ np.arange(1, slots + 1))
    return Program(
        problem=problem,
        matrix=matrix,
        devices=made,
        statements=[statement for statement in stated if statement is not None],
        balance=balance,
        bought=bought,
        sold=sold,
        money=costs.vector(matrix.width) + waiting,
        offset=costs.offset,
        waiting=waiting,
        most_waiting=most_waiting,
        room_wh=room_wh,
    )


class _Costs:
    """What columns cost, in currency."""

    def __init__(self) -> None:
        self._columns: list[Numbers] = []
        self._costs: list[Values] = []
        self.offset = 0.0

    def add(self, columns: Numbers, costs: Values | float) -> None:
        self._columns.append(columns)
        self._costs.append(np.broadcast_to(np.asarray(costs, np.float64), len(columns)))

    def vector(self, width: int) -> Values:
        costs = np.zeros(width)
        for columns, values in zip(self._columns, self._costs, strict=True):
            np.add.at(costs, columns, values)
        return costs


def _asked(problem: Problem) -> tuple[set[AssetId], dict[AssetId, Numbers]]:
    """Return whose run time is asked for by statements, and whose levels at the end of which slots."""
    places = Places([Device(e, NOTHING, NOTHING, np.zeros(0)) for e in problem.envelopes])
    counted: set[AssetId] = set()
    asked: dict[AssetId, Numbers] = {}
    for constraint in problem.constraints:
        if constraint.quantity is Quantity.RUN_TIME:
            counted |= {device.envelope.asset for device in places.of(constraint)}
        if constraint.quantity in OF_LEVELS:
            slots = window(problem, constraint)
            for device in places.of(constraint):
                asset = device.envelope.asset
                asked[asset] = np.union1d(asked.get(asset, NO_SLOTS), slots)
    return counted, asked


def _balance(matrix: Matrix, problem: Problem, made: list[Device], costs: _Costs) -> tuple[Numbers, Numbers, Numbers]:
    slots, every = problem.slots, np.arange(problem.slots)
    most_in = sum((np.maximum(d.envelope.hi_w, 0) * KWH_PER_W for d in made), np.zeros(slots))
    most_out = sum((-np.minimum(d.envelope.lo_w, 0) * KWH_PER_W for d in made), np.zeros(slots))
    for device in made:
        if device.starts is not None:
            _widen(device, most_in, most_out)
    bought, sold = matrix.columns(0.0, most_in), matrix.columns(0.0, most_out)
    fixed = sum((device.constant for device in made), np.zeros(slots))
    drawn = joined([device.net for device in made]).scaled(-1.0)
    balance = matrix.rows(joined([terms(every, bought, 1.0), terms(every, sold, -1.0), drawn]), fixed, fixed, slots)
    buy, sell = np.array(problem.import_price) / 1e6, np.array(problem.export_price) / 1e6
    costs.add(bought, buy)
    # Where export pays more than import costs, a feeder still cannot do both: one meter, one direction.
    costs.add(sold, -np.minimum(sell, buy))
    return balance, bought, sold


def _widen(device: Device, most_in: Values, most_out: Values) -> None:
    """Make room for an appliance, whose bounds on power need not say what its profile does."""
    shift = device.envelope.shift
    assert shift is not None
    top, bottom = max(*shift.profile_w, 0) * KWH_PER_W, -min(*shift.profile_w, 0) * KWH_PER_W
    most_in += top
    most_out += bottom


def _own_costs(matrix: Matrix, problem: Problem, device: Device, costs: _Costs) -> None:
    """Fuel, wear, what is left in the end, and what changes."""
    envelope, store, slots = device.envelope, device.envelope.store, problem.slots
    supplied = envelope.supply_micro_per_kwh + (store.wear_micro_per_kwh if store else 0)
    if supplied:
        costs.add(device.supply.columns, device.supply.weights * supplied / 1e6)
        costs.offset += float(np.maximum(-device.constant, 0.0).sum()) * supplied / 1e6
    if store and device.level is not None and min(envelope.lo_w) < 0:
        worth = problem.final_value_micro_per_kwh / 1e6 * store.discharge_permille / 1000
        costs.add(device.level[-1:], -worth)
    if store and device.taken:
        extra = np.cumsum([price for _, price in store.deep_wear]) / 1e6 * store.discharge_permille / 1000
        for columns, price in zip(device.taken, extra, strict=True):
            costs.add(columns, price)
    before = problem.before.get(envelope.asset)
    if before is not None and problem.change_micro_per_kwh and not envelope.fixed:
        every = np.arange(slots)
        most = (np.ptp([envelope.lo_w, envelope.hi_w, before]) + 1.0) * KWH_PER_W
        if device.starts is not None:
            most = np.inf
        more, less = matrix.columns(0.0, most, slots), matrix.columns(0.0, most, slots)
        target = np.array(before) * KWH_PER_W
        matrix.rows(joined([device.net, terms(every, more, -1.0), terms(every, less, 1.0)]), target, target, slots)
        for columns in (more, less):
            costs.add(columns, problem.change_micro_per_kwh / 1e6)


def _crossing(matrix: Matrix, problem: Problem, connection: Connection, made: list[Device], costs: _Costs) -> None:
    """What a connection's own meter costs: split into ways only where the fees and devices leave both open."""
    fee_in, fee_out = np.array(connection.import_fee) / 1e6, np.array(connection.export_fee) / 1e6
    behind = [device for device in made if device.envelope.connection == connection.name]
    if not behind or not (np.any(fee_in) or np.any(fee_out)):
        return
    slots = problem.slots
    net, fixed = joined([d.net for d in behind]), np.sum([d.constant for d in behind], axis=0)
    least, most = fixed.copy(), fixed.copy()
    for device in behind:
        if device.starts is not None:
            up, down = np.zeros(slots), np.zeros(slots)
            _widen(device, up, down)
            most, least = most + up, least - down
        elif not device.envelope.fixed:
            least = least + np.minimum(np.array(device.envelope.lo_w) * KWH_PER_W, 0.0)
            most = most + np.maximum(np.array(device.envelope.hi_w) * KWH_PER_W, 0.0)
    one_price = np.where(most <= 0.0, -fee_out, fee_in)
    split = (np.abs(fee_in + fee_out) > 0) & (least < 0.0) & (most > 0.0)
    single = net.within(np.flatnonzero(~split), slots)
    costs.add(single.columns, single.weights * one_price[~split][single.rows])
    costs.offset += float((fixed * one_price)[~split].sum())
    both = np.flatnonzero(split)
    if len(both):
        count, every = len(both), np.arange(len(both))
        into, out = matrix.columns(0.0, most[both]), matrix.columns(0.0, -least[both])
        block = [terms(every, into, 1.0), terms(every, out, -1.0), net.within(both, slots).scaled(-1.0)]
        matrix.rows(joined(block), fixed[both], fixed[both], count)
        costs.add(into, fee_in[both])
        costs.add(out, fee_out[both])
