"""`commonwatt channel` of who is paid: what a till holds, claimed, closed, and watched over."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps import walleting
from commonwatt.apps.cli.amounts import written
from commonwatt.apps.cli.channels import Which
from commonwatt.apps.cli.reaching import Json, show
from commonwatt.apps.cli.screen import as_json, when
from commonwatt.apps.cli.wallet_chain import MINUTES_20, Within, Yes, own_key, plain, reached, sign
from commonwatt.apps.cli.wallet_keys import HOME, PASSPHRASE, PassphraseFile, Wallet, asking
from commonwatt.model import Commodity

if TYPE_CHECKING:
    from commonwatt.apps.channel_payee import Holding, PayeeDesk

ERGON = Commodity.ERGON
Town = Annotated[
    Path, typer.Argument(help="The community's folder, whose till took the vouchers.", exists=True, file_okay=False)
]
Chain = Annotated[
    str, typer.Option("--chain", help="Where the chain is, if not in the folder: a node's URL, or another folder.")
]
Payer = Annotated[
    str | None, typer.Option("--from", help="Which key of the wallet pays the chain; the only one if left out.")
]


def held(folder: Town, chain: Chain = "", wallet: Wallet = HOME, json: Json = False) -> None:
    """List the channels that pay a community: best vouchers, what is credited, deposited, claimed, and still owed."""
    with _desk(folder, chain, wallet) as desk:
        found = list(desk.holdings(int(time.time())))
    columns = ("channel", "state", "for", "vouchers", "credited", "deposit", "claimed", "owed", "ends (UTC)")
    show(plain(found), columns, [_row(one) for one in found], json=json, none="no vouchers are held")


def claim(
    folder: Town,
    chain: Chain = "",
    source: Payer = None,
    batch: Annotated[int, typer.Option(help="Channels in one transaction.", min=1, max=512)] = 300,
    wallet: Wallet = HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Have the payee paid what all channels owe, in batches; whoever is stopped goes on, and nothing is claimed twice.

    A close pays out everything: claims between are for protection alone.
    """
    name, last = walleting.the_one(wallet, source), None
    asks = asking(passphrase_file, PASSPHRASE, f"Passphrase of {name}")
    with _desk(folder, chain, wallet) as desk, walleting.wallet_in(wallet).opened(name, asks) as key:
        for last in desk.claim(key, batch):
            told = f"{last.channels} channels looked at, {last.claimed} claimed, {written(ERGON, last.paid)}"
            typer.echo(f"{told}, {last.gas:,} gas", err=json)
    if json:
        typer.echo(as_json(last))
    elif last is None:
        typer.echo("no vouchers are held")


def close(
    folder: Town,
    channel: Which,
    chain: Chain = "",
    source: Annotated[str | None, typer.Option("--from", help="The payee's key; the only one if left out.")] = None,
    wallet: Wallet = HOME,
    yes: Yes = False,
    within: Within = MINUTES_20,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """End a channel with the last voucher, which pays out both sides; by the payee."""
    name = walleting.the_one(wallet, source)
    with _desk(folder, chain, wallet) as desk:
        one = desk.find(channel)
        told = f"close channel {one.channel} with {written(ERGON, one.total)} paid for {one.account}"
        offer = desk.offer_close(one, own_key(wallet, name), told)
        sign(desk.here, offer, wallet, name, passphrase_file, within, yes=yes, json=json)


def watch(
    folder: Town,
    chain: Chain = "",
    source: Payer = None,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=1, max=3_600)] = 15,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    wallet: Wallet = HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Watch over vouchers until interrupted: who begins to take a deposit back is claimed from in time.

    `accept --channels` does so by itself while it runs.
    """
    from commonwatt.apps.channel_payee import until_interrupted  # noqa: PLC0415  as in `_desk`

    name = walleting.the_one(wallet, source)
    asks = asking(passphrase_file, PASSPHRASE, f"Passphrase of {name}")
    with (
        _desk(folder, chain, wallet) as desk,
        walleting.wallet_in(wallet).opened(name, asks) as key,
        until_interrupted() as ended,
    ):
        if once:
            ended.set()
        else:
            typer.echo(f"{key.id} watches over vouchers", err=json)
        found = desk.watch(key, every, ended, lambda line: typer.echo(line, err=True))
    if json:
        typer.echo(as_json(plain(found)))
    elif once:
        typer.echo(f"{len(found)} withdrawals are not done with")


@contextmanager
def _desk(folder: Path, chain: str, wallet: Path) -> "Iterator[PayeeDesk]":
    # Here, and not above: web3 takes seconds to load, and every other command would wait for it.
    from commonwatt.apps.channel_payee import payee_desk  # noqa: PLC0415

    with reached(chain or str(folder), wallet, folder) as here, payee_desk(folder, here) as desk:
        yield desk


def _row(one: "Holding") -> tuple[object, ...]:
    amounts = (written(ERGON, amount) for amount in (one.total, one.credited, one.deposit, one.claimed, one.owed))
    ends = when(one.finish_at_s) if one.finish_at_s else None
    return one.channel[:12], one.state, one.account, *amounts, ends
