"""`commonwatt channel` of who pays: open, add, pay, see, and take back what is not owed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps import walleting
from commonwatt.apps.cli.amounts import base_units, written
from commonwatt.apps.cli.reaching import Folder, Json, show
from commonwatt.apps.cli.screen import as_json, when
from commonwatt.apps.cli.wallet_chain import (
    MINUTES_20,
    Place,
    Within,
    Yes,
    agree,
    follow,
    own_key,
    plain,
    reached,
    sign,
)
from commonwatt.apps.cli.wallet_keys import HOME, PASSPHRASE, PassphraseFile, Wallet, asking
from commonwatt.model import Commodity, KeyId, Refused

if TYPE_CHECKING:
    from commonwatt.apps.chain_wallet import ChainWallet
    from commonwatt.apps.channeling import Card, Channeling, Seen

ERGON = Commodity.ERGON
Which = Annotated[str, typer.Argument(help="Its id, or six or more of its first digits.")]
From = Annotated[
    str | None, typer.Option("--from", help="With which key of the wallet; the channel's own if left out.")
]


def open_(
    till: Annotated[str, typer.Argument(help="Address of the payee's till, like https://till.example.")],
    amount: Annotated[str, typer.Argument(help="What is deposited, ERGON like 20 or 2.50.")],
    account: Annotated[str, typer.Option("--for", help="The account that it pays for, in the till's community.")],
    chain: Place,
    source: Annotated[str | None, typer.Option("--from", help="Whose key pays; the only one if left out.")] = None,
    number: Annotated[
        int, typer.Option(help="Which of the account's channels: another once one is closed.", min=0)
    ] = 0,
    signer: Annotated[
        str | None,
        typer.Option(help="Whose key signs vouchers, by name or address: a gateway's. The payer's if left out."),
    ] = None,
    delay_s: Annotated[
        int | None, typer.Option(help="Seconds that the payee can still claim; the till's least if left out.", min=0)
    ] = None,
    folder: Folder = None,
    wallet: Wallet = HOME,
    yes: Yes = False,
    within: Within = MINUTES_20,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Open a channel to a payee, whose till says what it has to be: deposit and permit in one transaction."""
    name, units = walleting.the_one(wallet, source), base_units(ERGON, amount)
    with reached(chain, wallet, folder) as here:
        mine = _mine(here, wallet)
        signs = None if signer is None else here.find(signer)
        card = mine.drawn(till, own_key(wallet, name), account, number, signs, delay_s)
        standing = mine.channels.seen(card.channel)
        if standing.closed or standing.deposit:
            found = "closed" if standing.closed else "open"
            if not standing.closed:
                mine.cards.add(card)  # whoever lost their wallet's folder knows by this what it is made of
            raise Refused(
                "a channel is opened once: add to it, or take another --number", channel=card.channel, found=found
            )
        told = (
            f"open channel {card.channel}\n  deposit {written(ERGON, units)} to pay {card.community} for {account}"
            f"\n  payee {here.party(card.payee)}, {card.delay_s:,} s to claim"
        )
        _deposit(mine, card, wallet, name, units, told, passphrase_file, within, yes=yes, json=json)


def add(
    channel: Which,
    amount: Annotated[str, typer.Argument(help="How much more, ERGON like 20 or 2.50.")],
    chain: Place,
    folder: Folder = None,
    wallet: Wallet = HOME,
    yes: Yes = False,
    within: Within = MINUTES_20,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Deposit more into a channel that is open."""
    units = base_units(ERGON, amount)
    with reached(chain, wallet, folder) as here:
        mine = _mine(here, wallet)
        card = mine.cards.find(channel)
        told = f"add {written(ERGON, units)} to channel {card.channel}"
        name = _key_of(wallet, card.payer)
        _deposit(mine, card, wallet, name, units, told, passphrase_file, within, yes=yes, json=json)


def pay(
    channel: Which,
    chain: Place,
    amount: Annotated[
        str, typer.Argument(help="How much more, ERGON like 2.50; left out, what waits is shown to the till again.")
    ] = "0",
    folder: Folder = None,
    wallet: Wallet = HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Sign a voucher of all that was ever owed and show it to the till; nothing goes to the chain.

    A till that gives no answer costs nothing: the voucher is kept, and shown the next time.
    """
    units = base_units(ERGON, amount)
    with reached(chain, wallet, folder) as here:
        mine = _mine(here, wallet)
        card = mine.cards.find(channel)
        name = _key_of(wallet, card.signer)
        with walleting.wallet_in(wallet).opened(
            name, asking(passphrase_file, PASSPHRASE, f"Passphrase of {name}")
        ) as key:
            done = mine.pay(card, key, units)
    if json:
        typer.echo(as_json(plain(done)))
    elif done is None:
        typer.echo("nothing waits to be paid")
    else:
        typer.echo(f"{done.verdict}: {written(ERGON, done.total)} paid in all, {written(ERGON, done.left)} left")


def status(
    chain: Place,
    channel: Annotated[str | None, typer.Argument(help="One alone, by its first digits; all if left out.")] = None,
    folder: Folder = None,
    wallet: Wallet = HOME,
    json: Json = False,
) -> None:
    """List the wallet's channels: what is deposited, signed, heard of and claimed, and when what is left comes back."""
    with reached(chain, wallet, folder) as here:
        mine = _mine(here, wallet)
        cards = mine.cards.kept() if channel is None else [mine.cards.find(channel)]
        found = [mine.seen(card) for card in cards if (card.chain_id, card.contract) == _place(mine)]
    columns = ("channel", "state", "for", "deposit", "signed", "heard", "claimed", "ends (UTC)")
    show(plain(found), columns, [_row(one) for one in found], json=json, none=f"no channels in {wallet}")


def withdraw(
    channel: Which,
    chain: Place,
    folder: Folder = None,
    wallet: Wallet = HOME,
    yes: Yes = False,
    within: Within = MINUTES_20,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Begin to take back what is not owed, where the payee does not close; it cannot be called back."""
    with reached(chain, wallet, folder) as here:
        mine = _mine(here, wallet)
        card = mine.cards.find(channel)
        told = f"begin to end channel {card.channel}: the payee can claim for {card.delay_s:,} s, then finish it"
        offer = mine.offer_withdraw(card, told)
        sign(here, offer, wallet, _key_of(wallet, card.payer), passphrase_file, within, yes=yes, json=json)


def finish(
    channel: Which,
    chain: Place,
    source: From = None,
    folder: Folder = None,
    wallet: Wallet = HOME,
    yes: Yes = False,
    within: Within = MINUTES_20,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """End a channel whose withdrawal has waited long enough; what was not claimed goes to the payer, whoever asks."""
    with reached(chain, wallet, folder) as here:
        mine = _mine(here, wallet)
        card = mine.cards.find(channel)
        name = source or _key_of(wallet, card.payer)
        told = f"end channel {card.channel}: what was not claimed goes to {here.party(card.payer)}"
        offer = mine.offer_finish(card, own_key(wallet, name), told)
        sign(here, offer, wallet, name, passphrase_file, within, yes=yes, json=json)


def _mine(here: "ChainWallet", wallet: Path) -> "Channeling":
    from commonwatt.apps.channeling import Channeling, cards_in  # noqa: PLC0415  web3 takes a second: for who asks

    return Channeling(here, cards_in(wallet))


def _deposit(
    mine: "Channeling",
    card: "Card",
    wallet: Path,
    name: str,
    units: int,
    told: str,
    passphrase_file: Path | None,
    within_s: float,
    *,
    yes: bool,
    json: bool,
) -> None:
    asks = asking(passphrase_file, PASSPHRASE, f"Passphrase of {name}")
    with walleting.wallet_in(wallet).opened(name, asks) as key:
        offer = mine.offer_deposit(card, key, units, told)
        agree(offer, yes=yes, json=json)
        mine.cards.add(card)  # first: whoever is killed after sending still knows what the channel is
        tx = mine.here.send(key, offer)
    follow(mine.here, tx, within_s, json=json, about={"channel": card.channel})


def _key_of(wallet: Path, address: str) -> str:
    """Return what a key is called that has an address.

    Raises:
        Refused: The wallet has no such key: another wallet's, or a gateway's.
    """
    for one in walleting.wallet_in(wallet).kept():
        if one.address == KeyId(address):
            return one.name
    raise Refused("the wallet has the key that this takes", address=address, wallet=wallet)


def _place(mine: "Channeling") -> tuple[int, str]:
    return mine.here.chain.chain_id, mine.channels.contract.address


def _row(one: "Seen") -> tuple[object, ...]:
    amounts = (written(ERGON, amount) for amount in (one.deposit, one.signed, one.heard, one.claimed))
    ends = when(one.finish_at_s) if one.finish_at_s else None
    return one.channel[:12], one.state, f"{one.account} of {one.community}", *amounts, ends
