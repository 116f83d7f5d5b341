"""A day on a terminal: the four curves as bars, the bills, the shares, the ledger."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.table import Table

from commonwatt.flows.summary import Summary
from commonwatt.model import MICRO, SLOTS_PER_HOUR, instant

FILE_COLUMNS = 150
LAST_S = 32_503_680_000
"""The year 3000: later is never."""
BLOCKS = " ▁▂▃▄▅▆▇█"


def show(summary: Summary, console: Console) -> None:
    """Print a day: every asset's diary first, so that the figures stand where the eye is."""
    console.print(_diary(summary))
    console.print("\n[bold]Power at the feeder[/], one column an hour; kW at the peak")
    for name, curve in (
        ("demand alone", summary.demand_w),
        ("unmanaged cars", summary.unmanaged_w),
        ("smart charging", summary.smart_w),
        ("and discharging", summary.discharging_w),
    ):
        console.print(f"  {name:16} {_spark(curve, summary)} {max(curve) / 1000:5.1f}", highlight=False)
    console.print(_bills(summary))
    console.print(_figures(summary))
    console.print(
        f" log root    {summary.log_root}\n state root  {summary.state_root}", highlight=False, soft_wrap=True
    )
    for line in summary.unmet:
        console.print(f"[red]not kept:[/] {line}", highlight=False)
    for line in summary.set_aside[:5]:
        console.print(f"[yellow]set aside:[/] {line}", highlight=False)


def screen(*, quiet: bool = False) -> Console:
    """Return the terminal, or a page wide enough for a diary where the output goes into a file."""
    terminal = Console(quiet=quiet)
    return terminal if terminal.is_terminal else Console(quiet=quiet, width=FILE_COLUMNS)


def _diary(summary: Summary) -> Table:
    clock = ZoneInfo(summary.timezone)
    table = Table(
        "asset", "from", "to", "instruction", "W", "expected", "measured", "reason", box=None, header_style="bold"
    )
    for column in table.columns[4:7]:
        column.justify = "right"
    table.columns[3].no_wrap = True
    for entry in summary.diary:
        start, end = (f"{instant(at).astimezone(clock):%H:%M}" for at in (entry.start_s, entry.end_s))
        table.add_row(
            entry.asset,
            start,
            end,
            entry.verb,
            str(entry.power_w),
            f"{entry.expected_wh} Wh",
            f"{entry.measured_wh} Wh",
            entry.reason,
        )
    return table


def as_json(value: object) -> str:
    """Return a result as indented JSON, for `--json`."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _spark(curve_w: list[int], summary: Summary) -> str:
    hours = [sum(curve_w[h : h + SLOTS_PER_HOUR]) / SLOTS_PER_HOUR for h in range(0, len(curve_w), SLOTS_PER_HOUR)]
    top = max(1, *summary.unmanaged_w, *summary.discharging_w)
    return "".join(BLOCKS[max(0, min(8, round(8 * value / top)))] for value in hours)


def _bills(summary: Summary) -> Table:
    table = Table(
        "member", "before", "after", "saved", "bought from neighbours", "sold to them", box=None, header_style="bold"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for bill in summary.bills:
        table.add_row(
            bill.member,
            _money(bill.before_micro),
            _money(bill.after_micro),
            _money(bill.before_micro - bill.after_micro),
            f"{bill.bought_wh / 1000:.2f} kWh",
            f"{bill.sold_wh / 1000:.2f} kWh",
        )
    before, after = summary.cost_before_micro, summary.cost_after_micro
    paid = sum(bill.after_micro for bill in summary.bills)
    table.add_row("all members", _money(before), _money(paid), _money(before - paid))
    table.add_row(
        "[bold]to the grid[/]", _money(before), _money(after), f"[bold]{100 * (before - after) / before:.1f} %[/]"
    )
    if summary.foreseen_micro is not None:
        table.add_row("as first planned", "", _money(summary.foreseen_micro), _money(summary.foreseen_micro - after))
    return table


def _figures(summary: Summary) -> Table:
    before, after = summary.shares_before, summary.shares_after
    traded_wh = sum(summary.traded_wh)
    worth = [p * e for p, e in zip(summary.local_price, summary.traded_wh, strict=True) if p]
    table = Table("", "before", "after", box=None, header_style="bold")
    for name, old, new in (
        ("self-consumption of solar", f"{before.self_consumption_percent} %", f"{after.self_consumption_percent} %"),
        ("self-sufficiency", f"{before.self_sufficiency_percent} %", f"{after.self_sufficiency_percent} %"),
        ("peak import", f"{before.peak_w / 1000:.1f} kW", f"{after.peak_w / 1000:.1f} kW"),
        ("left in batteries", f"{summary.stored_before_wh} Wh", f"{summary.stored_after_wh} Wh"),
        (
            "traded among neighbours",
            "",
            f"{traded_wh / 1000:.1f} kWh at {sum(worth) / max(1, traded_wh) / 10_000:.1f} p",
        ),
        (
            "WATT minted, burned, traded",
            "",
            f"{summary.watt_minted_wh}, {summary.watt_burned_wh}, {summary.watt_traded_wh} Wh",
        ),
        ("losses account (untraded flow, meters)", "", f"{summary.losses_wh} Wh, {_money(summary.losses_micro)}"),
        ("ledger", "", f"{summary.leaves} leaves, {summary.entries} entries"),
    ):
        table.add_row(name, old, new)
    return table


def ergon(micro: int | None) -> str:
    """Return an amount or a price in ERGON to the micro, so that what is printed adds up; a dash for none."""
    return "-" if micro is None else f"{Decimal(micro).scaleb(-6):.6f}"


def when(at_s: int | None) -> str:
    """Return an instant as people write it, UTC; a dash for none, and for what no calendar knows."""
    return "-" if at_s is None or at_s > LAST_S else f"{instant(at_s):%Y-%m-%d %H:%M}"


def _money(micro: int) -> str:
    return f"{'-' if micro < 0 else ''}£{abs(micro) / MICRO:.2f}"
