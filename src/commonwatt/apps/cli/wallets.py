"""`commonwatt wallet`: what is held, what came and went, sending, and taking one's entries along."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps import trading
from commonwatt.apps.cli.reaching import Json, reaches, show
from commonwatt.apps.cli.screen import as_json, ergon, when
from commonwatt.model import Commodity, Refused

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

app = typer.Typer(help="See what is held, what came and went; send.", no_args_is_help=True)
Account = Annotated[str | None, typer.Argument(help="Whose; one's own if left out.")]


@app.command("balances")
@reaches
def balances(here: "Reached", account: Account = None, json: Json = False) -> None:
    """Show what an account holds, and how much of it is free."""
    one = here.client.wallets.wallet(here.whose(account))
    rows = [
        ("ERGON", ergon(one.ergon_micro), ergon(one.free_ergon_micro)),
        ("WATT, Wh", one.watt_wh, one.free_watt_wh),
        ("TSL", ergon(one.tsl_micro), ergon(one.free_tsl_micro)),
    ]
    show(one, (f"{one.account}, {when(one.as_of_s)} UTC", "held", "free"), rows, json=json, none="")


@app.command("history")
@reaches
def history(
    here: "Reached",
    account: Account = None,
    commodity: Annotated[Commodity | None, typer.Option(help="Only of this.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most; 0 for all.", min=0)] = 50,
    json: Json = False,
) -> None:
    """List entries of the books, the newest first, from all pages that it takes."""
    calls = here.client.wallets
    every = here.client.every(calls.entries, here.whose(account), limit=min(limit or 500, 500), commodity=commodity)
    found = list(islice(every, limit or None))
    rows = [(one.number, when(one.slot_s), _amount(one.commodity, one.amount), one.other, one.label) for one in found]
    show(found, ("entry", "slot (UTC)", "amount", "with", "for"), rows, json=json, none="nothing came or went")


@app.command("send")
@reaches
def send(
    here: "Reached",
    target: Annotated[str, typer.Argument(help="To which account, for example member-02.")],
    amount: Annotated[str, typer.Argument(help="ERGON or TSL like 2.50, or whole Wh of WATT.")],
    commodity: Annotated[Commodity, typer.Option(help="Of what.")] = Commodity.ERGON,
    account: Annotated[str | None, typer.Option("--from", help="From which account; one's own if left out.")] = None,
    json: Json = False,
) -> None:
    """Give to another account; it is signed with the key that the community keeps, and only they can give it back."""
    whose = here.whose(account)
    body = {"what": "give", "target": target, "commodity": commodity.value, "amount": _base(commodity, amount)}
    done = here.client.wallets.transfer(whose, body)
    typer.echo(as_json(done) if json else f"{whose} gave {amount} to {target}, at {done.position}")


@app.command("export")
@reaches
def export(
    here: "Reached",
    out: Annotated[Path, typer.Argument(help="File, .csv or .jsonl.", dir_okay=False)],
    account: Annotated[str | None, typer.Option("--of", help="Whose entries; one's own if left out.")] = None,
    json: Json = False,
) -> None:
    """Take an account's entries along: its first line tells size and roots of the log under which they stand."""
    form = out.suffix.removeprefix(".")
    if form not in ("csv", "jsonl"):
        raise Refused("entries are taken along as .csv or .jsonl", file=out)
    pieces = here.client.audits.export("entries", "csv" if form == "csv" else "jsonl", account=here.whose(account))
    # Whole or not at all: what was there stays until the last piece has come.
    begun = out.with_name(f".{out.name}.begun")
    try:
        with begun.open("wb") as file:
            size = sum(map(file.write, pieces))
        begun.replace(out)
    finally:
        begun.unlink(missing_ok=True)
    typer.echo(as_json({"file": str(out), "bytes": size}) if json else f"{out}: {size} bytes")


def _amount(commodity: Commodity, amount: int) -> str:
    if commodity in (Commodity.ERGON, Commodity.TSL):
        return f"{ergon(amount)} {commodity.name}"
    return f"{amount} Wh{' WATT' if commodity is Commodity.WATT else ''}"


def _base(commodity: Commodity, amount: str) -> int:
    """Return an amount in base units.

    Raises:
        Refused: It is none.
    """
    if commodity in (Commodity.ERGON, Commodity.TSL):
        return trading.micro(amount)
    if not (amount.isascii() and amount.isdigit()):
        raise Refused("an amount of energy is whole Wh", found=amount[:80])
    return int(amount)
