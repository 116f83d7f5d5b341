"""`commonwatt wallet` on a chain: the same questions and sending as on the ledger, with keys of one's own."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commonwatt.apps import walleting
from commonwatt.apps.cli.amounts import base_units, coins, smallest_of, written
from commonwatt.apps.cli.reaching import Folder, Json, show
from commonwatt.apps.cli.screen import as_json, when
from commonwatt.apps.cli.wallet_keys import HOME, PASSPHRASE, PassphraseFile, Wallet, asking
from commonwatt.model import Commodity, KeyId, Refused

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from commonwatt.apps.chain_wallet import ChainWallet, Offer, Sent

_WHERE = "On a chain: a node's URL, or a community's folder with its embedded chain."
Place = Annotated[str, typer.Option("--chain", help=_WHERE)]
Spender = Annotated[
    str | None, typer.Option(help="With --chain: show as well what this one may take, by name or address.")
]
Coin = Annotated[bool, typer.Option("--coin", help="With --chain: of the chain's own coin, like 0.05.")]
Owner = Annotated[
    str | None, typer.Option("--owner", help="With --chain: take it from this one, who allowed it, by name or address.")
]
Yes = Annotated[bool, typer.Option("--yes", help="With --chain: sign without asking.")]
Within = Annotated[float, typer.Option(help="With --chain: how many seconds to wait until it is final.", min=0)]
MINUTES_20 = 1_200.0
_FROM_ENVIRONMENT = {"app", "wallet"}
"""Options that may be set for every command: told where they say nothing, they are passed over."""
_MOST = 2**63 - 1
"""Of any token there is no more: what is allowed beyond it has no end."""
_AMOUNTS = {
    *("amount", "final", "allowed", "coin", "deposit", "final_deposit", "claimed", "owed", "signed", "heard"),
    *("total", "left", "credited", "paid"),
}


def balances(
    chain: str,
    account: str | None,
    folder: Folder = None,
    json: bool = False,
    wallet: Wallet = HOME,
    spender: Spender = None,
) -> None:
    """Show what an address holds on a chain."""
    with reached(chain, wallet, folder) as here:
        who = here.find(walleting.the_one(wallet, account))
        found = here.balances(who, None if spender is None else here.find(spender))
    rows: list[Sequence[object]] = [
        (one.commodity.name, *(_written(one.commodity, amount) for amount in _columns(one, spender)))
        for one in found.tokens
    ]
    rows.append(("coin", coins(found.coin), *([None] * (2 if spender else 1))))
    columns = [str(found.who), "held", f"final at block {found.final_block:,}"]
    show(plain(found), [*columns, f"{spender} may take"] if spender else columns, rows, json=json, none="")
    if not json:
        typer.echo(f"chain {found.chain_id}, block {found.block:,}; the next transaction has number {found.nonce}")


def history(
    chain: str,
    account: str | None,
    commodity: Commodity | None,
    limit: int,
    folder: Folder = None,
    json: bool = False,
    wallet: Wallet = HOME,
) -> None:
    """List what came, went and was allowed on a chain."""
    with reached(chain, wallet, folder) as here:
        found = here.history(here.find(walleting.the_one(wallet, account)), limit or None, commodity)
    rows = [
        (
            one.block,
            when(one.at_s),
            one.what,
            written(one.commodity, one.amount),
            one.other,
            "yes" if one.final else "no",
        )
        for one in found
    ]
    columns = ("block", "time (UTC)", "what", "amount", "with", "final")
    show(plain(found), columns, rows, json=json, none="nothing came or went")


def send(
    chain: str,
    target: str,
    amount: str,
    commodity: Commodity,
    account: str | None,
    folder: Folder = None,
    json: bool = False,
    wallet: Wallet = HOME,
    coin: Coin = False,
    owner: Owner = None,
    yes: Yes = False,
    within: Within = MINUTES_20,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Send tokens or coins on a chain, or take what somebody allowed."""
    if coin and owner:
        raise typer.BadParameter("nobody allows others to take --coin")
    name = walleting.the_one(wallet, account)
    with reached(chain, wallet, folder) as here:
        source, goes_to = own_key(wallet, name), here.find(target)
        if coin:
            told = f"send {amount} of the chain's own coin"
            offer = here.offer_send(source, goes_to, None, smallest_of(amount), told)
        elif owner is not None:
            units, from_whom = base_units(commodity, amount), here.find(owner)
            told = f"take {written(commodity, units)} from {here.party(from_whom)}"
            offer = here.offer_take(source, from_whom, goes_to, commodity, units, told)
        else:
            units = base_units(commodity, amount)
            offer = here.offer_send(source, goes_to, commodity, units, f"send {written(commodity, units)}")
        sign(here, offer, wallet, name, passphrase_file, within, yes=yes, json=json)


def approve(
    spender: Annotated[str, typer.Argument(help="Who may take it, by name or address.")],
    amount: Annotated[str, typer.Argument(help="At most so much, ERGON or TSL like 2.50, or whole Wh; 0 ends it.")],
    chain: Place,
    commodity: Annotated[Commodity, typer.Option(help="Of what.")] = Commodity.ERGON,
    account: Annotated[str | None, typer.Option("--from", help="Of which key's; the only one if left out.")] = None,
    folder: Folder = None,
    wallet: Wallet = HOME,
    yes: Yes = False,
    within: Within = MINUTES_20,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Allow somebody, or a contract, to take so much of a token on a chain; on the ledger see `delegate`."""
    name = walleting.the_one(wallet, account)
    with reached(chain, wallet, folder) as here:
        units = base_units(commodity, amount)
        told = f"allow {written(commodity, units)} to be taken"
        offer = here.offer_allow(own_key(wallet, name), here.find(spender), commodity, units, told)
        sign(here, offer, wallet, name, passphrase_file, within, yes=yes, json=json)


def or_on_chain(chain_does: Callable[..., None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command on the ledger the option `--chain`, by which another function does the same there.

    Args:
        chain_does: Takes the place, what both ask for by the same names, and options of its own.
    """

    def both(ledger_does: Callable[..., None]) -> Callable[..., None]:
        there = inspect.signature(chain_does).parameters
        here = inspect.signature(ledger_does).parameters
        more = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, one in there.items() if name not in here]

        def run(**told: Any) -> None:
            to_chain = bool(told["chain"])
            mine, others = (there, here) if to_chain else (here, there)
            for name in others.keys() - mine.keys() - {"chain"} - _FROM_ENVIRONMENT:
                if told[name] != others[name].default:
                    says = "for the ledger" if to_chain else "for --chain"
                    raise typer.BadParameter(f"{_called(others[name])} is {says}")
            (chain_does if to_chain else ledger_does)(**{name: told[name] for name in mine})

        place = inspect.Parameter("chain", inspect.Parameter.KEYWORD_ONLY, default="", annotation=Place)
        every = [*here.values(), *(place if one.name == "chain" else one for one in more)]
        run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]  # what Typer reads
        run.__annotations__ = {one.name: one.annotation for one in every}
        run.__doc__, run.__name__ = ledger_does.__doc__, ledger_does.__name__
        return run

    return both


def reached(place: str, wallet: Path, folder: Path | None) -> "AbstractContextManager[ChainWallet]":
    """Reach a community's contracts with a wallet, see `commonwatt.apps.chain_wallet.on_chain`."""
    # Here, and not above: web3 takes seconds to load, and every other command would wait for it.
    from commonwatt.apps.chain_wallet import on_chain  # noqa: PLC0415

    return on_chain(place, walleting.wallet_in(wallet), folder=folder, word=lambda line: typer.echo(line, err=True))


def own_key(wallet: Path, name: str) -> KeyId:
    """Return the address of a key of the wallet."""
    return walleting.wallet_in(wallet).find(name).address


def _called(option: inspect.Parameter) -> str:
    told = option.annotation.__metadata__[0]
    # Typer takes the first of the names for a default, until it reads the command.
    named = (one for one in (told.default, *(told.param_decls or ())) if isinstance(one, str) and one.startswith("--"))
    return next(named, f"--{option.name.replace('_', '-')}")


def _written(commodity: Commodity, amount: int | None) -> str | None:
    if amount is None:
        return None
    return "without end" if amount > _MOST else written(commodity, amount)


def plain(found: Any) -> Any:
    """Return what is found for JSON: amounts as digits in a text, since a chain's numbers have 256 bits."""
    if isinstance(found, list):
        return [plain(one) for one in found]
    if not is_dataclass(found):
        return found
    told = {one.name: getattr(found, one.name) for one in fields(found)}
    return {
        name: str(value)
        if name in _AMOUNTS and isinstance(value, int) and not isinstance(value, bool)
        else plain(value)
        for name, value in told.items()
    }


def _columns(one: Any, spender: str | None) -> list[int | None]:
    return [one.amount, one.final, one.allowed] if spender else [one.amount, one.final]


def sign(
    here: "ChainWallet",
    offer: "Offer",
    wallet: Path,
    name: str,
    passphrase_file: Path | None,
    within_s: float,
    *,
    yes: bool,
    json: bool,
) -> None:
    """Show what is offered, ask, sign it with a key of the wallet, and say what became of it.

    Raises:
        Refused: The contract refused it in its block; or as `ChainWallet.send`.
    """
    agree(offer, yes=yes, json=json)
    asks = asking(passphrase_file, PASSPHRASE, f"Passphrase of {name}")
    with walleting.wallet_in(wallet).opened(name, asks) as key:
        tx = here.send(key, offer)
    follow(here, tx, within_s, json=json)


def agree(offer: "Offer", *, yes: bool, json: bool) -> None:
    """Show what is about to be signed, and ask whether it is to be."""
    made = offer.transaction
    told = (
        f"{offer.what}\n  from {offer.source}\n  to   {offer.target}\n"
        f"  transaction {made.nonce} on chain {made.chain_id}; at most {made.gas:,} gas, {coins(offer.most_fee)} coins"
    )
    typer.echo(told, err=json)
    if not yes:
        typer.confirm("Sign it?", abort=True, err=True)


def follow(
    here: "ChainWallet", tx: bytes, within_s: float, *, json: bool, about: Mapping[str, str] | None = None
) -> None:
    """Wait until a transaction stays, and say what became of it.

    Args:
        here: Where it was sent.
        tx: Which.
        within_s: How long at most.
        json: Whether JSON is wanted.
        about: What JSON tells beside.

    Raises:
        Refused: The contract refused it in its block.
    """
    typer.echo(f"0x{tx.hex()} is on its way", err=True)
    done = here.wait(tx, within_s)
    typer.echo(as_json({**(about or {}), **asdict(done)}) if json else _became(done))
    if done.block is not None and not done.done:
        raise Refused("the contract refused it in its block, and changed nothing", tx=done.tx, block=done.block)


def _became(done: "Sent") -> str:
    if done.block is None:
        return f"{done.tx} is in no block yet: do not send it again, look with `wallet history`"
    stays = "final" if done.final else "not final yet: do not send it again, look with `wallet history`"
    return f"{done.tx} in block {done.block:,}, {stays}; {done.gas:,} gas"
