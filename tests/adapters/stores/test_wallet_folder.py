"""A wallet's folder keeps each key once, closed to others, writes over none, and signs with each."""

import json
from pathlib import Path

import pytest

from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.adapters.stores.wallet_folder import TokenPlace, WalletFolder
from commonwatt.identity.keys import SigningKey, VerifyingKey, WalletSigner
from commonwatt.identity.keystore import Cost, Words
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import Corrupt, InvalidValue, Refused
from servers.softhsm import SoftToken

pytestmark = pytest.mark.row("E11")

ADA, BOB = (SigningKey.from_seed(b"wallet folder", name) for name in ("ada", "bob"))
WORDS = Words("some words", "m/44'/60'/0'/0/3")


def wallet(folder: Path) -> WalletFolder:
    return WalletFolder(folder / "wallet", cost=Cost(n=4, r=1))


def test_a_key_is_kept_closed_listed_without_opening_and_opened_by_its_passphrase(tmp_path: Path) -> None:
    home = wallet(tmp_path)
    assert home.kept() == []
    home.add("ada", ADA, b"long enough", WORDS)
    home.add("bob", BOB, b"another one")
    assert [(one.name, one.address, one.kind, one.path) for one in wallet(tmp_path).kept()] == [
        ("ada", ADA.id, "keystore", WORDS.path),
        ("bob", BOB.id, "keystore", None),
    ]
    folder = tmp_path / "wallet"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    with home.opened("ada", lambda: b"long enough") as key:
        assert key.id == ADA.id
    with pytest.raises(Refused, match="passphrase does not open"), home.opened("bob", lambda: b"long enough"):
        pass
    assert home.take_out("ada", b"long enough")[1] == WORDS


def test_no_key_is_written_over_and_none_is_kept_twice(tmp_path: Path) -> None:
    home = wallet(tmp_path)
    home.add("ada", ADA, b"x")
    before = (tmp_path / "wallet" / "ada.json").read_bytes()
    with pytest.raises(Refused, match="no key is written over"):
        home.add("ada", BOB, b"y")
    with pytest.raises(Refused, match="a key is kept once"):
        home.add("again", ADA, b"y")
    assert (tmp_path / "wallet" / "ada.json").read_bytes() == before


def test_who_comes_second_in_a_race_is_refused_and_the_first_key_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = wallet(tmp_path)
    home.add("ada", ADA, b"x")
    monkeypatch.setattr(WalletFolder, "refuse_taken", lambda *asked: None)  # as if both had looked before either wrote
    with pytest.raises(Refused, match="no key is written over"):
        home.add("ada", BOB, b"y")
    assert home.take_out("ada", b"x")[0].id == ADA.id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    home = wallet(tmp_path)
    home.add("ada", ADA, b"x")
    (tmp_path / "wallet" / "ada.json").chmod(mode)
    with pytest.raises(Refused, match="chmod 600"), home.opened("ada", lambda: b"x"):
        pass
    with pytest.raises(Refused, match="chmod 600"):
        home.kept()


@pytest.mark.parametrize("name", ["", "../ada", "a/b", "Ada", ".ada", "a" * 65, "ä"])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    home = wallet(tmp_path)
    with pytest.raises(InvalidValue, match="a key's name"):
        home.add(name, ADA, b"x")
    with pytest.raises(Refused, match="no such key"):
        home.find(name)


def test_a_damaged_file_and_one_of_another_address_are_refused_by_name(tmp_path: Path) -> None:
    home = wallet(tmp_path)
    home.add("ada", ADA, b"x")
    path = tmp_path / "wallet" / "ada.json"
    told = json.loads(path.read_bytes())
    path.write_text(json.dumps(told | {"address": BOB.id[2:]}))
    assert home.find("ada").address == BOB.id, "nothing tells before it is opened"
    with pytest.raises(Corrupt, match="tells its own key's address"), home.opened("ada", lambda: b"x"):
        pass
    path.write_text('{"library": 7}')
    with pytest.raises(Corrupt, match=r"ada\.json: this is no key file"):
        home.kept()
    path.write_bytes(b"{")
    with pytest.raises(Corrupt, match=r"ada\.json: this is no key file"):
        home.kept()


def place(token: SoftToken, label: str) -> TokenPlace:
    return TokenPlace(library=str(token.library), token=token.label, label=label, pin=str(token.pin))


def test_a_key_in_a_token_signs_requests_and_transactions_and_never_comes_out(
    soft_token: SoftToken, tmp_path: Path
) -> None:
    home = wallet(tmp_path)
    with pytest.raises(Refused, match="no such key in the token"):
        home.add_token("hard", place(soft_token, "wallet-1"), create=False)
    assert home.kept() == []
    kept = home.add_token("hard", place(soft_token, "wallet-1"), create=True)
    assert (kept.kind, home.find("hard")) == ("pkcs11", kept)
    with pytest.raises(Refused, match="a key is kept once"):
        home.add_token("twice", place(soft_token, "wallet-1"), create=False)
    with home.opened("hard", lambda: pytest.fail("a token has a PIN of its own")) as opened:
        signer: WalletSigner = opened
        assert signer.id == kept.address
        assert VerifyingKey(signer.public).verify(b"a request", signer.sign(b"a request"))
        digest = bytes(range(32))
        assert VerifyingKey(signer.public).verify_digest(digest, signer.sign_digest(digest))
    with pytest.raises(Refused, match="never leaves it"):
        home.take_out("hard", b"x")


def test_a_token_s_transaction_is_recovered_by_another_library_as_the_token_s_own(
    soft_token: SoftToken, tmp_path: Path
) -> None:
    from eth_account import Account  # noqa: PLC0415  a second to load, for this test alone

    home = wallet(tmp_path)
    kept = home.add_token("hard", place(soft_token, "wallet-2"), create=True)
    with home.opened("hard", lambda: b"") as key:
        told = [Transaction(chain_id=7, nonce=nonce, gas=21_000, fee=9, to=bytes(20), value=3) for nonce in range(8)]
        raws = [signed(one, key) for one in told]
    for raw in raws:  # a token's s is high as often as low
        assert Account.recover_transaction(raw) == with_checksum(kept.address)


def test_a_token_that_holds_another_key_by_now_is_refused(soft_token: SoftToken, tmp_path: Path) -> None:
    home = wallet(tmp_path)
    home.add_token("hard", place(soft_token, "wallet-3"), create=True)
    path = tmp_path / "wallet" / "hard.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"address": ADA.id}))
    with pytest.raises(Corrupt, match="the token's key is"), home.opened("hard", lambda: b""):
        pass


def test_a_transaction_signed_here_is_byte_for_byte_another_library_s() -> None:
    from eth_account import Account  # noqa: PLC0415  a second to load, for this test alone

    told = {"chainId": 1, "nonce": 9, "maxPriorityFeePerGas": 2, "maxFeePerGas": 20 * 10**9, "gas": 21_000}
    theirs = Account.sign_transaction({**told, "type": 2, "to": "0x" + "35" * 20, "value": 10**18}, b"\x46" * 32)
    ours = Transaction(
        chain_id=1, nonce=9, tip=2, fee=20 * 10**9, gas=21_000, to=bytes.fromhex("35" * 20), value=10**18
    )
    assert signed(ours, SigningKey(b"\x46" * 32)) == bytes(theirs.raw_transaction)
