"""`commonwatt wallet` on the ledger: what is held, what came and went, sending, and taking one's entries along."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps.cli import wallet_chain
from commonwatt.apps.cli.amounts import base_units, written
from commonwatt.apps.cli.reaching import Json, reaches, show
from commonwatt.apps.cli.screen import as_json, ergon, when
from commonwatt.apps.cli.wallet_chain import or_on_chain
from commonwatt.model import Commodity, Refused

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

Account = Annotated[
    str | None, typer.Argument(help="Whose; one's own if left out. With --chain: a key's name, or an address.")
]


@or_on_chain(wallet_chain.balances)
@reaches
def balances(here: "Reached", account: Account = None, json: Json = False) -> None:
    """Show what an account holds, and what of it is free; or what an address holds on a chain, and what is final."""
    one = here.client.wallets.wallet(here.whose(account))
    rows = [
        ("ERGON", ergon(one.ergon_micro), ergon(one.free_ergon_micro)),
        ("WATT, Wh", one.watt_wh, one.free_watt_wh),
        ("TSL", ergon(one.tsl_micro), ergon(one.free_tsl_micro)),
    ]
    show(one, (f"{one.account}, {when(one.as_of_s)} UTC", "held", "free"), rows, json=json, none="")


@or_on_chain(wallet_chain.history)
@reaches
def history(
    here: "Reached",
    account: Account = None,
    commodity: Annotated[Commodity | None, typer.Option(help="Only of this.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most; 0 for all.", min=0)] = 50,
    json: Json = False,
) -> None:
    """List entries of the books, or what came and went on a chain, the newest first."""
    calls = here.client.wallets
    every = here.client.every(calls.entries, here.whose(account), limit=min(limit or 500, 500), commodity=commodity)
    found = list(islice(every, limit or None))
    rows = [(one.number, when(one.slot_s), written(one.commodity, one.amount), one.other, one.label) for one in found]
    show(found, ("entry", "slot (UTC)", "amount", "with", "for"), rows, json=json, none="nothing came or went")


@or_on_chain(wallet_chain.send)
@reaches
def send(
    here: "Reached",
    target: Annotated[
        str, typer.Argument(help="To which account, for example member-02. With --chain: name or address.")
    ],
    amount: Annotated[str, typer.Argument(help="ERGON or TSL like 2.50, or whole Wh of WATT.")],
    commodity: Annotated[Commodity, typer.Option(help="Of what.")] = Commodity.ERGON,
    account: Annotated[
        str | None, typer.Option("--from", help="From which account, or key; one's own if left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Give to another account, signed with the key that the community keeps; or, on a chain, with one of your own.

    On a chain what it takes is shown and asked about first, and it is waited for until it is final. Only whoever got it
    can give it back.
    """
    whose = here.whose(account)
    body = {"what": "give", "target": target, "commodity": commodity.value, "amount": base_units(commodity, amount)}
    done = here.client.wallets.transfer(whose, body)
    typer.echo(as_json(done) if json else f"{whose} gave {amount} to {target}, at {done.position}")


@reaches
def exit_(
    here: "Reached",
    address: Annotated[str | None, typer.Argument(help="Of the chain; shown is what stands if left out.")] = None,
    account: Annotated[str | None, typer.Option("--of", help="For which account; one's own if left out.")] = None,
    json: Json = False,
) -> None:
    """Show or name the address of the chain to which an account's own goes if the operator stops.

    Unnamed, it is that of the key that was registered last: one that the community keeps is of little use then.
    """
    whose, calls = here.whose(account), here.client.chain
    if address is not None:
        calls.exit_to(whose, {"address": address})
    found = calls.exit_of(whose)
    where = found.address or "nowhere: no key of a chain is registered"
    typer.echo(as_json(found) if json else f"{whose} exits to {where}{', as it was named' if found.named else ''}")


@reaches
def entries(
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
