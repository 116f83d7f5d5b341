"""`commonwatt chain`: how a community's chain stands, checked, shown to wallets, and founded."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps.chain_terms import RPC_PORT
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.apps.cli.wallet_keys import HOME, PASSPHRASE, PassphraseFile, Wallet, asking
from commonwatt.apps.walleting import the_one, wallet_in
from commonwatt.model import instant

app = typer.Typer(help="The chain on which a community's checkpoints are anchored.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="The community's folder.", exists=True, file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
_BOUND, _UNBOUND = "named by the log, and knows it", "takes in and pays nothing before an anchored state names it"


@app.command()
def status(folder: Folder, json: Json = False) -> None:
    """Tell how far the chain has come, what of the log stands on it for good, what that cost, and the contracts."""
    from commonwatt.apps import chain_commands  # noqa: PLC0415  web3 and py-evm take a second: for who asks

    found = chain_commands.status(folder)
    if json:
        typer.echo(as_json(found))
        return
    typer.echo(f"chain      {found.kind}, number {found.chain_id}")
    typer.echo(f"head       block {found.head.number}, {instant(found.head.time_s):%Y-%m-%d %H:%M:%S} UTC")
    typer.echo(f"final      block {found.final.number}")
    typer.echo(f"anchored   {found.final_size} of {found.log_size} leaves stay, {found.anchored_size} were seen")
    typer.echo(f"cost       one checkpoint for all {found.members} members, {found.checkpoints} so far")
    for one in found.periods:
        each = "" if one.gas_per_member is None else f", {one.gas_per_member:,.0f} a member"
        typer.echo(f"period     {instant(one.slot_s):%Y-%m-%d %H:%M} UTC  {one.gas:,} gas{each}")
    typer.echo(f"vault      {_BOUND if found.bound else _UNBOUND}")
    for name, place in found.contracts.items():
        typer.echo(f"contract   {place}  {name}")


@app.command()
def recheck(folder: Folder, json: Json = False) -> None:
    """Run the embedded chain again from its signed transactions, and compare every block with what is stored."""
    from commonwatt.apps import chain_commands  # noqa: PLC0415  web3 and py-evm take a second: for who asks

    console = screen(quiet=json)
    found = chain_commands.recheck(folder, lambda line: console.print(line, highlight=False))
    if json:
        typer.echo(as_json(found))
        return
    typer.echo(f"{found.transactions} transactions make every block as it is stored")


@app.command()
def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(help="On loopback; 0 for any free one.", min=0, max=65_535)] = RPC_PORT,
    json: Json = False,
) -> None:
    """Show the embedded chain to wallets on this machine until interrupted; an open app does so itself."""
    from commonwatt.apps import chain_commands  # noqa: PLC0415  web3 and py-evm take a second: for who asks

    chain_commands.serve(
        folder, port, lambda where: typer.echo(as_json({"url": where}) if json else f"JSON-RPC at {where}")
    )


@app.command()
def deploy(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Where the log's door is, see accept.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)] = 7420,
    json: Json = False,
) -> None:
    """Open the chain, put all contracts on it where they are not yet, give roles, and anchor what is final.

    Through the log's door, where it is open, the log is told which Vault is its own; else the app tells it. Once that
    is anchored, the Vault is shown it: say this again after the quarter-hour.
    """
    from commonwatt.apps import chain_commands  # noqa: PLC0415  web3 and py-evm take a second: for who asks

    found = chain_commands.deploy(folder, host, port)
    if json:
        typer.echo(as_json(found))
        return
    typer.echo(f"head       block {found.head.number}; the last final checkpoint is {found.stage}")
    typer.echo(f"vault      {_BOUND if found.bound else _UNBOUND}")
    for role in found.waiting_roles:
        typer.echo(f"waiting    {role}")
    for name, place in found.contracts.items():
        typer.echo(f"contract   {place}  {name}")


@app.command()
def propose(
    folder: Folder,
    account: Annotated[str | None, typer.Option("--from", help="Which key; the only one if left out.")] = None,
    wallet: Wallet = HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Announce the roles that the chain waits for, with the proposer's own key, where that is not the operator's."""
    from commonwatt.apps import chain_commands  # noqa: PLC0415  web3 and py-evm take a second: for who asks

    name = the_one(wallet, account)
    with wallet_in(wallet).opened(name, asking(passphrase_file, PASSPHRASE, f"Passphrase of {name}")) as key:
        found = chain_commands.propose(folder, key)
    if json:
        typer.echo(as_json(found))
        return
    for role in found:
        typer.echo(f"announced  {role}")


@app.command()
def bond(
    folder: Folder,
    witness: Annotated[Path, typer.Option(help="The witness's own folder.", exists=True, file_okay=False)],
    json: Json = False,
) -> None:
    """Stake all TSL that a witness was given, so that its signatures count on the chain."""
    from commonwatt.apps import chain_commands  # noqa: PLC0415  web3 and py-evm take a second: for who asks

    found = chain_commands.bond(folder, witness)
    if json:
        typer.echo(as_json(found))
        return
    typer.echo(f"{found.stake_micro} micro TSL of {found.witness} are bonded")
