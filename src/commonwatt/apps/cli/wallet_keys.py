"""Keys of one's own for `commonwatt wallet`: made, brought, listed, taken along; no argument holds a secret."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import walleting
from commonwatt.apps.cli.reaching import Json, show
from commonwatt.apps.cli.screen import as_json
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import Refused

PASSPHRASE, OPENS, ANEW = "COMMONWATT_PASSPHRASE", "COMMONWATT_OPENING_PASSPHRASE", "COMMONWATT_NEW_PASSPHRASE"
"""Variables that may hold a passphrase: of the wallet, of what is brought, of what is taken along."""
HOME = Path(typer.get_app_dir("commonwatt")) / "wallet"
Wallet = Annotated[
    Path,
    typer.Option(help="Folder of your own keys; this user's if left out.", envvar="COMMONWATT_WALLET", file_okay=False),
]
Name = Annotated[str, typer.Argument(help="What the key is called here.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help=f"File, mode 0600, with the wallet's passphrase; else it is in {PASSPHRASE}, or you are asked."),
]


def list_(wallet: Wallet = HOME, json: Json = False) -> None:
    """List your own keys with their addresses; nothing is opened."""
    found = [walleting.listed(one) for one in walleting.wallet_in(wallet).kept()]
    rows = [(one.name, one.address, one.kind, one.path) for one in found]
    show(found, ("key", "address", "kept as", "path"), rows, json=json, none=f"no keys in {wallet}")


def address(
    who: Annotated[str, typer.Argument(help="A key's name; or an address, whose checksum is looked at.")],
    wallet: Wallet = HOME,
    json: Json = False,
) -> None:
    """Print an address with its checksum, for others to send to."""
    found = with_checksum(walleting.address_of(walleting.wallet_in(wallet), who))
    typer.echo(as_json({"address": found}) if json else found)


def create(
    name: Name,
    wallet: Wallet = HOME,
    words: Annotated[int, typer.Option(help="How many: 12, 15, 18, 21 or 24.")] = 12,
    words_to: Annotated[
        Path | None, typer.Option(help="Put the words into this new file, mode 0600, and do not show them.")
    ] = None,
    library: Annotated[Path | None, typer.Option(help="A PKCS#11 library: the key is made in its token.")] = None,
    token: Annotated[str, typer.Option(help="The token's label.")] = "",
    label: Annotated[str, typer.Option(help="The key's label in it; its name here if left out.")] = "",
    pin: Annotated[Path | None, typer.Option(help="File with the token's PIN, mode 0600.")] = None,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Make a key from new words, which are shown once: on paper they bring it back. Or make one in a token."""
    home = walleting.wallet_in(wallet)
    if library is not None:
        if pin is None or not token:
            raise typer.BadParameter("a key in a token has --token and --pin")
        kept = walleting.make_in_token(home, name, library, token, label or name, pin)
        _tell(walleting.listed(kept), json=json)
        return
    if words_to is None and (json or not sys.stdout.isatty()):
        raise Refused("words are shown on a terminal alone, or go into a file: --words-to FILE")
    asks = asking(passphrase_file, PASSPHRASE, "New passphrase of the wallet", twice=True)
    kept, text = walleting.make(home, name, asks, count=words, words_to=words_to)
    if words_to is None:
        typer.echo(f"Write these {words} words down, on paper. They are shown this once; whoever has them has the key:")
        typer.echo(f"\n  {text}\n")
    _tell(walleting.listed(kept), json=json)


def import_(
    name: Name,
    source: Annotated[
        str, typer.Argument(help="File, mode 0600: a keystore, PEM, hex, or words; - for standard input.")
    ],
    wallet: Wallet = HOME,
    path: Annotated[str, typer.Option(help="Below words, if another than m/44'/60'/0'/0/0.")] = "",
    opens: Annotated[
        Path | None,
        typer.Option(
            "--opening-passphrase-file",
            help=f"File, mode 0600, with the passphrase of a keystore or PEM, or BIP-39's of words; else in {OPENS}.",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Keep a key that was made elsewhere: a wallet's keystore, PKCS#8 PEM, 64 hex digits, or words of BIP-39."""
    extra = (walleting.told_passphrase(opens, OPENS) or b"").decode()
    content = walleting.read_secret(source)
    kept = walleting.bring(
        walleting.wallet_in(wallet),
        name,
        content,
        asking(opens, OPENS, f"Passphrase of {source}"),
        asking(passphrase_file, PASSPHRASE, "New passphrase of the wallet", twice=True),
        path,
        extra,
    )
    _tell(walleting.listed(kept), json=json)


def export(
    name: Name,
    out: Annotated[Path, typer.Argument(help="New file; it gets mode 0600.", dir_okay=False)],
    wallet: Wallet = HOME,
    form: Annotated[walleting.Form, typer.Option(help="As what; hex and words lie open.")] = walleting.Form.KEYSTORE,
    anew: Annotated[
        Path | None,
        typer.Option(
            "--new-passphrase-file",
            help=f"File, mode 0600, with a passphrase for the keystore or PEM; else in {ANEW}, or you are asked.",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Take a key along in a new file; it stays in the wallet too."""
    kept = walleting.take(
        walleting.wallet_in(wallet),
        name,
        out,
        form,
        asking(passphrase_file, PASSPHRASE, "Passphrase of the wallet"),
        asking(anew, ANEW, f"New passphrase of {out}", twice=True),
    )
    told = {"file": str(out), "form": form.value, "address": with_checksum(kept.address)}
    typer.echo(as_json(told) if json else f"{out} holds {name} {told['address']}")


def asking(file: Path | None, variable: str, prompt: str, *, twice: bool = False) -> walleting.Asks:
    """Return what finds a passphrase: in a file, in a variable, or by asking on the terminal.

    Args:
        file: Of mode 0600.
        variable: Of the environment.
        prompt: What is asked.
        twice: Whether it is asked again, since it is new.
    """

    def find() -> bytes:
        told = walleting.told_passphrase(file, variable)
        if told is None:
            asked: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
            told = asked.encode()
        return told

    return find


def _tell(told: walleting.Listed, *, json: bool) -> None:
    typer.echo(as_json(told) if json else f"{told.name} {told.address}")
