"""A two-stage linear program: one action now, then every scenario of the coming hours on its own."""

from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

FREE = 1e30
CHARGE, DISCHARGE, STORED, IMPORT = range(4)


class Program:
    """Charging of several batteries, solved again each hour from the last solution.

    Costs are of each home's import, of upward ramps of their sum, and of its peaks in this month and the next.
    A full battery is slower: power falls along a line from ``knee`` to full.
    """

    def __init__(
        self, homes: int, hours: int, scenarios: int, *, capacity_kwh: float, power_kw: float, efficiency: float,
        knee: float, power_at_knee: float, power_when_full: float,
    ) -> None:  # fmt: skip
        self._homes, self._hours, self._scenarios = homes, hours, scenarios
        self._slope = power_kw * (power_at_knee - power_when_full) / (capacity_kwh * (1 - knee))
        self._most = power_kw * power_at_knee + self._slope * capacity_kwh * knee
        self._lay_out()
        self._connect(efficiency)
        columns = self._count
        self._cost, self._low, self._high = np.zeros(columns), np.zeros(columns), np.full(columns, FREE)
        self._high[self._x[:, [CHARGE, DISCHARGE]]] = power_kw
        self._high[self._x[:, STORED]] = capacity_kwh
        self._row_low, self._row_high = np.zeros(self._rows), np.full(self._rows, FREE)
        self._solver: Any = None
        self._this_month = -1

    def solve(
        self, *, net_kwh: Array, stored_kwh: Array, import_cost: Array, last_kw: float, ramp_cost: float,
        peak_cost: float, peak_so_far_kw: float, month_left_h: int, stored_value: Array,
    ) -> Array:  # fmt: skip
        """Return each home's battery energy in the first hour, in kWh, positive when charging.

        Args:
            net_kwh: Load less generation, (scenarios, homes, hours); the first hour is alike in all.
            stored_kwh: Energy in each battery now.
            import_cost: Cost of one imported kWh, (homes, hours).
            last_kw: The sum of all homes in the hour before.
            ramp_cost: Cost of one kW upwards from hour to hour.
            peak_cost: Cost of one kW of peak.
            peak_so_far_kw: Peaks below this cost nothing more.
            month_left_h: Hours until the next month's peak starts to count.
            stored_value: Worth of one kWh left in each battery at the end.

        Raises:
            RuntimeError: The program was not solved to optimality.
        """
        even = 1.0 / self._scenarios
        cost, later = self._cost, self._x[:, :, :, 1:]
        cost[:] = 0.0
        cost[later[:, IMPORT]] = even * import_cost[None, :, 1:]
        cost[self._x[0, IMPORT, :, 0]] = import_cost[:, 0]
        cost[self._ramp] = even * ramp_cost
        cost[self._ramp[0, 0]] = ramp_cost
        cost[self._peak] = even * peak_cost
        cost[self._x[:, STORED, :, -1]] = -even * stored_value
        self._low[self._peak] = peak_so_far_kw
        self._row_low[self._balance_rows] = self._row_high[self._balance_rows] = 0.0
        self._row_low[self._balance_rows[0, :, 0]] = self._row_high[self._balance_rows[0, :, 0]] = stored_kwh
        self._row_low[self._import_rows] = net_kwh
        self._row_low[self._power_rows], self._row_high[self._power_rows] = -FREE, self._most
        self._row_high[self._power_rows[0, :, 0]] = self._most - self._slope * stored_kwh
        total = net_kwh.sum(axis=1)
        self._row_low[self._ramp_rows] = np.diff(total, axis=1, prepend=last_kw)
        self._row_low[self._peak_rows] = total
        return self._run(min(month_left_h, self._hours))

    def _run(self, this_month: int) -> Array:
        if self._solver is None:
            self._solver = self._pass()
        columns, rows = np.arange(self._count, dtype=np.int32), np.arange(self._rows, dtype=np.int32)
        self._solver.changeColsCost(len(columns), columns, self._cost)
        self._solver.changeColsBounds(len(columns), columns, self._low, self._high)
        self._solver.changeRowsBounds(len(rows), rows, self._row_low, self._row_high)
        if this_month != self._this_month:
            for scenario, hour in np.ndindex(self._peak_rows.shape):
                row, now = int(self._peak_rows[scenario, hour]), hour < this_month
                self._solver.changeCoeff(row, int(self._peak[scenario, 0]), float(now))
                self._solver.changeCoeff(row, int(self._peak[scenario, 1]), float(not now))
            self._this_month = this_month
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"the program must be solved to optimality, was {status}")
        found = np.asarray(self._solver.getSolution().col_value)
        first: Array = found[self._x[0, CHARGE, :, 0]] - found[self._x[0, DISCHARGE, :, 0]]
        return first

    def _lay_out(self) -> None:
        """Number the columns; what is decided now is one column for all scenarios."""
        homes, hours, scenarios = self._homes, self._hours, self._scenarios
        now = 4 * homes
        self._x: Index = np.empty((scenarios, 4, homes, hours), dtype=np.int64)
        self._x[:, :, :, 0] = np.arange(now).reshape(4, homes)
        later = scenarios * 4 * homes * (hours - 1)
        self._x[:, :, :, 1:] = now + np.arange(later).reshape(scenarios, 4, homes, hours - 1)
        self._ramp: Index = np.empty((scenarios, hours), dtype=np.int64)
        self._ramp[:, 0] = now + later
        self._ramp[:, 1:] = now + later + 1 + np.arange(scenarios * (hours - 1)).reshape(scenarios, hours - 1)
        count = now + later + 1 + scenarios * (hours - 1)
        self._peak: Index = count + np.arange(2 * scenarios).reshape(scenarios, 2)
        self._count = count + 2 * scenarios

    def _connect(self, efficiency: float) -> None:
        """Write the rows; those of the first hour stand once for all scenarios, except the peaks'."""
        self._rows = 0
        self._entries: list[tuple[Index, Index, float]] = []
        charge, discharge, stored, imported = (self._x[:, kind] for kind in range(4))
        self._balance_rows = self._shared_rows(self._homes)
        self._put(self._balance_rows, stored, 1.0)
        self._put(self._balance_rows, charge, -efficiency)
        self._put(self._balance_rows, discharge, 1.0 / efficiency)
        self._put(self._balance_rows[:, :, 1:], stored[:, :, :-1], -1.0)
        self._import_rows = self._shared_rows(self._homes)
        self._put(self._import_rows, imported, 1.0)
        self._put(self._import_rows, charge, -1.0)
        self._put(self._import_rows, discharge, 1.0)
        self._power_rows = self._shared_rows(self._homes)
        self._put(self._power_rows, charge, 1.0)
        self._put(self._power_rows, discharge, 1.0)
        self._put(self._power_rows[:, :, 1:], stored[:, :, :-1], self._slope)
        self._ramp_rows = self._shared_rows(1)[:, 0]
        self._put(self._ramp_rows, self._ramp, 1.0)
        each = np.repeat(self._ramp_rows[:, None], self._homes, axis=1)
        for sign, moved in ((-1.0, charge), (1.0, discharge)):
            self._put(each, moved, sign)
            self._put(each[:, :, 1:], moved[:, :, :-1], -sign)
        self._peak_rows = self._rows + np.arange(self._scenarios * self._hours).reshape(self._scenarios, self._hours)
        self._rows += self._peak_rows.size  # every scenario has its own peak, so these are shared by none
        each = np.repeat(self._peak_rows[:, None], self._homes, axis=1)
        self._put(each, charge, -1.0)
        self._put(each, discharge, 1.0)
        for month in (0, 1):
            self._put(self._peak_rows, np.repeat(self._peak[:, month : month + 1], self._hours, axis=1), 1.0)

    def _shared_rows(self, width: int) -> Index:
        later = self._scenarios * width * (self._hours - 1)
        rows = np.empty((self._scenarios, width, self._hours), dtype=np.int64)
        rows[:, :, 0] = self._rows + np.arange(width)
        rows[:, :, 1:] = self._rows + width + np.arange(later).reshape(self._scenarios, width, self._hours - 1)
        self._rows += width + later
        return rows

    def _put(self, rows: Index, columns: Index, value: float) -> None:
        self._entries.append((rows.ravel(), columns.ravel(), value))

    def _pass(self) -> Any:
        rows = np.concatenate([rows for rows, _, _ in self._entries])
        columns = np.concatenate([columns for _, columns, _ in self._entries])
        values = np.concatenate([np.full(len(rows), value) for rows, _, value in self._entries])
        _, first = np.unique(columns * self._rows + rows, return_index=True)  # once each, by column, then row
        counts = np.bincount(columns[first], minlength=self._count)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._count, self._rows
        model.col_cost_, model.col_lower_, model.col_upper_ = self._cost, self._low, self._high
        model.row_lower_, model.row_upper_ = self._row_low, self._row_high
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        model.a_matrix_.index_ = rows[first].astype(np.int32)
        model.a_matrix_.value_ = values[first]
        make: Any = highspy.Highs  # its constructor carries no types
        solver = make()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.passModel(model)
        return solver
