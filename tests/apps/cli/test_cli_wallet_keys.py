"""Keys of one's own on the command line: made, brought, taken along; and no secret where others could read it."""

import json
import os
import pty
import re
import select
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from commonwatt.adapters.stores.wallet_folder import WalletFolder
from commonwatt.apps import walleting
from commonwatt.apps.cli.main import app
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.keystore import Cost
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import Corrupt, InvalidValue, Refused
from servers.softhsm import SoftToken

pytestmark = pytest.mark.row("E11")

LONG, OTHER = "a passphrase that is long", "another that is long too"
JUNK = "test " * 11 + "junk"
JUNK_0, JUNK_1 = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
KEY = SigningKey.from_seed(b"cli wallet", "ada")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with passphrases in files, and a wallet in it that spends little time on them."""
    monkeypatch.setattr(walleting, "wallet_in", lambda folder: WalletFolder(folder, cost=Cost(n=4, r=1)))
    monkeypatch.setenv("COMMONWATT_WALLET", str(tmp_path / "wallet"))
    for name in ("COMMONWATT_PASSPHRASE", "COMMONWATT_OPENING_PASSPHRASE", "COMMONWATT_NEW_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    secret(tmp_path / "long", LONG + "\n")
    secret(tmp_path / "other", OTHER + "\n")
    return tmp_path


def secret(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path


def wallet(*words: str | Path, says: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["wallet", *map(str, words)], input=says)


def told(*words: str | Path) -> Any:
    done = wallet(*words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_a_key_is_made_listed_and_taken_along_in_every_form_and_comes_back_the_same(here: Path) -> None:
    by = ("--passphrase-file", here / "long")
    made = told("create", "savings", "--words-to", here / "paper", *by)
    assert made["path"] == "m/44'/60'/0'/0/0"
    assert told("list") == [made]
    assert told("address", "savings") == {"address": made["address"]}
    for form in walleting.Form:
        anew = ("--new-passphrase-file", here / "other") if form in ("keystore", "pem") else ()
        assert told("export", "savings", here / form.value, "--form", form.value, *by, *anew)["form"] == form
        assert (here / form.value).stat().st_mode & 0o777 == 0o600
        opens = ("--opening-passphrase-file", here / "other") if anew else ()
        other = ("--wallet", here / f"from {form.value}", *by)
        back = told("import", "back", here / form.value, *other, *opens)
        assert back["address"] == made["address"]
    assert (here / "words").read_text() == (here / "paper").read_text()


def test_known_words_bring_known_keys_by_path_and_bip_39_s_own_passphrase(here: Path) -> None:
    by = ("--passphrase-file", here / "long")
    secret(here / "junk", JUNK)
    assert told("import", "first", here / "junk", *by)["address"] == JUNK_0
    assert told("import", "second", here / "junk", "--path", "m/44'/60'/0'/0/1", *by)["address"] == JUNK_1
    guarded = told("import", "third", here / "junk", "--opening-passphrase-file", here / "other", *by)
    assert guarded["address"] not in (JUNK_0, JUNK_1)
    assert [one["name"] for one in told("list")] == ["first", "second", "third"]


def test_a_key_in_hex_comes_from_standard_input_and_is_nowhere_in_what_is_said(here: Path) -> None:
    bare = KEY.secret().hex()
    done = wallet("import", "ada", "-", "--passphrase-file", here / "long", says=f"0x{bare}\n")
    assert done.exit_code == 0, done.exception
    assert done.output == f"ada {with_checksum(KEY.id)}\n"
    assert bare not in (here / "wallet" / "ada.json").read_text()
    spoiled = wallet("import", "eve", "-", "--passphrase-file", here / "long", says=f"{bare}0")
    assert isinstance(spoiled.exception, Refused) and bare[:16] not in str(spoiled.exception)
    beyond = wallet("import", "eve", "-", "--passphrase-file", here / "long", says="f" * 64)
    assert isinstance(beyond.exception, Refused) and "ffff" not in str(beyond.exception)


def test_passphrases_come_from_a_variable_or_are_asked_for_and_not_shown(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = wallet("import", "ada", secret(here / "bare", KEY.secret().hex()), says=f"{LONG}\n{LONG}\n")
    assert asked.exit_code == 0, asked.output
    assert LONG not in asked.output
    monkeypatch.setenv("COMMONWATT_PASSPHRASE", LONG)
    monkeypatch.setenv("COMMONWATT_NEW_PASSPHRASE", OTHER)
    assert wallet("export", "ada", here / "along").exit_code == 0
    monkeypatch.setenv("COMMONWATT_PASSPHRASE", OTHER)
    wrong = wallet("export", "ada", here / "again")
    assert isinstance(wrong.exception, Refused) and "does not open" in str(wrong.exception)
    assert not (here / "again").exists()


def test_what_would_lose_or_bare_a_key_is_refused(here: Path) -> None:
    by = ("--passphrase-file", here / "long")
    opens = ("--opening-passphrase-file", here / "long")
    refused: list[tuple[tuple[str | Path, ...], type[Exception], str]] = [
        (("create", "savings", *by), Refused, "shown on a terminal"),
        (("create", "savings", "--words-to", here / "w", "--passphrase-file", secret(here / "s", "short")), Refused,
         "12 characters or more"),
        (("create", "savings", "--words-to", here / "long", *by), Refused, "a new file"),
        (("create", "savings", "--words-to", here / "w", "--words", "13", *by), InvalidValue, "was 13"),
        (("import", "ada", secret(here / "none", "nothing of use"), *by), Refused, "a key comes as"),
        (("import", "ada", secret(here / "bare", KEY.secret().hex()), "--path", "m/1", *by), InvalidValue, "a path"),
        (("import", "ada", secret(here / "broken", '{"version": 3}'), *by, *opens), Corrupt, "no key file"),
        (("address", JUNK_0.replace("f39F", "F39f")), InvalidValue, "EIP-55"),
        (("address", "nobody"), Refused, "no such key"),
    ]  # fmt: skip
    for words, kind, says in refused:
        done = wallet(*words)
        assert isinstance(done.exception, kind) and says in str(done.exception), (words, done.output, done.exception)
    assert told("list") == []
    (here / "bare").chmod(0o644)
    assert "chmod 600" in str(wallet("import", "ada", here / "bare", *by).exception)


def test_a_key_that_came_without_words_has_none_to_take_along(here: Path) -> None:
    by = ("--passphrase-file", here / "long")
    told("import", "ada", secret(here / "bare", KEY.secret().hex()), *by)
    done = wallet("export", "ada", here / "words", "--form", "words", *by)
    assert isinstance(done.exception, Refused) and "came from them" in str(done.exception)
    assert not (here / "words").exists()


def test_a_key_is_made_in_a_token_and_stays_there(here: Path, soft_token: SoftToken) -> None:
    place = ("--library", soft_token.library, "--token", soft_token.label, "--pin", soft_token.pin)
    made = told("create", "hard", *place)
    assert made["kind"] == "pkcs11" and told("list") == [made]
    done = wallet("export", "hard", here / "out", "--passphrase-file", here / "long")
    assert isinstance(done.exception, Refused) and "never leaves it" in str(done.exception)
    assert wallet("create", "again", "--library", soft_token.library).exit_code == 2


def test_words_are_shown_once_on_a_terminal_which_shows_no_passphrase(here: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        code = "from commonwatt.apps.cli.main import main; main()"
        os.execv(sys.executable, [sys.executable, "-c", code, "wallet", "create", "savings"])
    shown, typed = b"", 0
    while select.select([terminal], [], [], 120)[0]:
        try:
            piece = os.read(terminal, 4_096)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not piece:
            break
        shown += piece
        if typed < 2 and shown.count(b": ") > typed:
            os.write(terminal, f"{LONG}\n".encode())
            typed += 1
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    found = re.search(r"^  ((?:[a-z]+ ){11}[a-z]+)\r?$", shown.decode(), re.MULTILINE)
    assert found, shown
    assert LONG.encode() not in shown
    made = secret(here / "paper", found[1])
    back = told("import", "back", made, "--wallet", here / "back", "--passphrase-file", here / "long")
    assert [back["address"]] == [one["address"] for one in told("list")]
