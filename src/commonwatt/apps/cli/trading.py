"""`commonwatt market`, `order` and `ask`: see what stands on the markets, order, and send any signed request."""

import json as stdlib_json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from commonwatt.apps import asking, trading
from commonwatt.apps.cli.screen import as_json, ergon, screen
from commonwatt.apps.views.market import AuctionView, ResultView
from commonwatt.model import Kind, Refused, Side

Folder = Annotated[Path, typer.Argument(help="A community's folder, with the key that signs.", exists=True)]
Host = Annotated[str, typer.Option(help="Where the door is, see accept.")]
Port = Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)]
Receipt = Annotated[
    Path | None, typer.Option(help="Keep the operator's promise and what was sent in this file, see claim.")
]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def market(folder: Folder, json: Json = False) -> None:
    """Show what stands on a community's markets at the end of its log."""
    found = trading.view(folder, int(time.time()))
    if json:
        typer.echo(as_json(found))
        return
    console = screen()
    asked = _quote(found.buying_price, found.buying_wh)
    bid = _quote(found.selling_price, found.selling_wh)
    console.print(f"[bold]WATT book[/] of {found.community}: lowest ask {asked}, highest bid {bid}", highlight=False)
    asked = _quote(found.backed_buying_price, found.backed_buying_wh)
    bid = _quote(found.backed_selling_price, found.backed_selling_wh)
    console.print(f"of what could trade now: lowest ask {asked}, highest bid {bid}", highlight=False)
    ask, bid = map(ergon, (found.unbacked_moves_buying, found.unbacked_moves_selling))
    console.print(f"what could not trade moves them by {ask} and {bid}", highlight=False)
    console.print(_table(("order", "owner", "side", "Wh", "price"), found.watt_orders))
    if found.listings:
        console.print("[bold]listed for direct sale[/]")
        console.print(_table(("listing", "seller", "Wh", "price"), found.listings))
    if found.auctions:
        console.print("[bold]auctions[/]")
        console.print(_auctions(found.auctions))
    if found.results:
        console.print("[bold]auctions that closed[/]")
        console.print(_results(found.results))
    console.print("[bold]slots[/]")
    table = Table("slot", "gate", "bids Wh", "asks Wh", "traded Wh", "price", "grid takes", "gives", box=None)
    for slot in found.slots:
        prices = (slot.price_micro_per_kwh, slot.import_price, slot.export_price)
        counts = (slot.bids_wh, slot.asks_wh, slot.traded_wh)
        table.add_row(slot.slot, "open" if slot.open else "closed", *map(str, counts), *map(ergon, prices))
    console.print(table)


def order(
    folder: Folder,
    member: Annotated[str, typer.Argument(help="Whose key signs, as its file in keys/, for example member-03.")],
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    energy_wh: Annotated[int, typer.Argument(help="Wh.", min=1)],
    price: Annotated[str, typer.Argument(help="The limit, in currency per kWh, like 0.21; any: WATT at what stands.")],
    slot: Annotated[str | None, typer.Option(help="Its start, local; without it the order is for WATT.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Meet others at once; what is left of WATT is gone.")] = False,
    until: Annotated[str | None, typer.Option(help="When an order for WATT is gone by itself, local.")] = None,
    source: Annotated[str, typer.Option(help="any, renewable or solar: what it is, or is wanted.")] = "any",
    near: Annotated[bool, typer.Option("--near", help="Rather from the own zone.")] = False,
    partner: Annotated[str | None, typer.Option(help="Rather with this account.")] = None,
    premium: Annotated[str, typer.Option(help="How much worse than the limit it may be for that.")] = "0",
    strict: Annotated[bool, typer.Option("--strict", help="Only as preferred, or not at all.")] = False,
    receipt: Receipt = None,
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Sign an order for a slot or for WATT, and send it through the open door."""
    if side not in ("buy", "sell"):
        raise typer.BadParameter(f"say buy or sell, was {side}")
    likes = {"source": source, "near": near, "partner": partner, "strict": strict, "now": now}
    likes |= {"premium_micro_per_kwh": trading.micro(premium)}
    body: dict[str, Any] = {
        "what": "watt" if slot is None else "slot",
        "side": (Side.BID if side == "buy" else Side.ASK).value,
        "energy_wh": energy_wh,
    }
    if price != "any" or slot is not None:
        body["price_micro_per_kwh"] = trading.micro(price)
    plain = {"source": "any", "near": False, "partner": None, "strict": False, "now": False, "premium_micro_per_kwh": 0}
    if slot is None and likes | {"now": False} != plain:
        raise typer.BadParameter("preferences are about a slot: say --slot")
    if slot is None:
        body |= {"now": True} if now else {}
        body |= {"until_s": trading.moment_s(folder, until)} if until else {}
    elif until:
        raise typer.BadParameter("an order for a slot ends at its gate")
    else:
        body |= {"slot_s": trading.moment_s(folder, slot)} | {k: v for k, v in likes.items() if v != plain[k]}
    done = asking.ask(folder, member, Kind.ORDER.value, body, host, port, receipt=receipt)
    typer.echo(as_json(done) if json else f"{done.account}: {side} {energy_wh} Wh at {price}, {done.outcome.value}")


def ask(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="Whose key signs, as its file in keys/.")],
    kind: Annotated[str, typer.Argument(help="Of request, for example cancel, transfer, auction, contract, session.")],
    body: Annotated[str, typer.Argument(help="The body as JSON, see the guides; - reads standard input.")],
    account: Annotated[str | None, typer.Option("--for", help="The account, where the key is a delegate's.")] = None,
    receipt: Receipt = None,
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Sign any request, and send it through the open door."""
    try:
        told = stdlib_json.loads(typer.get_text_stream("stdin").read() if body == "-" else body)
    except (ValueError, RecursionError) as error:  # what is nested too deep is no body either
        raise Refused("a body is a JSON object", found=body[:80]) from error
    if not isinstance(told, dict):
        raise Refused("a body is a JSON object", found=body[:80])
    done = asking.ask(folder, name, kind, told, host, port, account, receipt)
    typer.echo(as_json(done) if json else f"{done.kind.value} for {done.account}: {done.outcome.value}")


def _quote(micro: int | None, energy_wh: int) -> str:
    return "-" if micro is None else f"{ergon(micro)} for {energy_wh} Wh"


def _auctions(found: list[AuctionView]) -> Table:
    names = ("auction", "owner", "form", "side", "good", "left", "bids", "price", "reserve", "step", "ends", "for")
    table = Table(*names, box=None, header_style="bold")
    for one in found:
        ends = one.ends if one.phase == "open" else f"{one.ends}, {one.phase}"
        told = (one.auction, one.owner, one.form, one.side, one.good, f"{one.left} of {one.amount}", str(one.bids))
        table.add_row(*told, *map(ergon, (one.price, one.reserve, one.step)), ends, " - ".join(one.window))
    return table


def _results(found: list[ResultView]) -> Table:
    names = ("auction", "owner", "form", "side", "good", "amount", "closed", "why", "won")
    table = Table(*names, box=None, header_style="bold")
    for one in found:
        won = ", ".join(f"{who} {amount} at {ergon(price)}" for who, amount, price in one.awards)
        told = (one.auction, one.owner, one.form, one.side, one.good, str(one.amount), one.closed, one.why)
        table.add_row(*told, won)
    return table


def _table(names: tuple[str, ...], rows: list[Any]) -> Table:
    table = Table(*names, box=None, header_style="bold")
    for row in rows:
        told = [ergon(cell) if name == "price" else str(cell) for name, cell in zip(names, row, strict=True)]
        table.add_row(*told)
    return table
