"""`commonwatt bill`: what a member pays for a period, as figures, page, PDF or JSON."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import billing
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.apps.report import bill as report
from commonwatt.model import InvalidValue
from commonwatt.settlement.bill import LineClass

Folder = Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)]


def bill(
    folder: Folder,
    member: Annotated[str, typer.Argument(help="The member's account, for example member-03.")],
    first: Annotated[
        str | None, typer.Option("--from", help="First day, 2018-11-14; without it from the start.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="The day after the last; without it all that is settled.")
    ] = None,
    vat: Annotated[
        list[str] | None,
        typer.Option(help="Tax in the prices, in thousandths: energy=50; also fees, storage, services."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Where to put the page.", dir_okay=False)] = None,
    pdf: Annotated[Path | None, typer.Option(help="Where to put the PDF.", dir_okay=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON, with the numbers of all entries.")] = False,
    entry: Annotated[int | None, typer.Option(help="Print this entry of the ledger with its proof instead.")] = None,
) -> None:
    """Tell what a member pays and is paid for a period, line by line, and from which entries."""
    if entry is not None:
        typer.echo(as_json(billing.entry_of(folder, entry)))
        return
    told, timezone = billing.bill_of(folder, member, (first, last), _rates(vat or []))
    billing.write_files(told, timezone, html=html, pdf=pdf)
    if json:
        typer.echo(as_json(told))
        return
    words = report.told(told, timezone)
    console = screen()
    console.print(f"Bill of {words.account}, {words.period}", highlight=False)
    table = Table("", "quantity", "unit", "pence a unit", "amount", "entries", box=None, header_style="bold")
    for column in (table.columns[1], *table.columns[3:]):
        column.justify = "right"
    for row in words.rows:
        table.add_row(row.label, row.quantity, row.unit, row.price, row.amount, str(row.count))
    console.print(table)
    console.print(f"{words.headline}: {words.total}", highlight=False)
    for line in (words.tax and f"of which tax {words.tax}", words.before, *report.notes(words)):
        if line:
            console.print(line, highlight=False)


def _rates(told: list[str]) -> dict[LineClass, int]:
    rates = {}
    for one in told:
        name, _, permille = one.partition("=")
        if name not in set(LineClass) or not permille.isdecimal() or int(permille) > 1000:
            raise InvalidValue(f"a rate of tax looks like energy=50, of {', '.join(LineClass)}, was {one!r}")
        rates[LineClass(name)] = int(permille)
    return rates
