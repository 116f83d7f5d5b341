"""Keys sealed under a passphrase go to other wallets and come from them, and what is damaged or greedy is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.identity.keys import CURVE_ORDER, SigningKey
from commonwatt.identity.keystore import (
    MOST_BYTES,
    Cost,
    Words,
    address_in,
    read_keystore,
    read_words,
    write_keystore,
)
from commonwatt.model import CommonwattError, Corrupt, InvalidValue, Refused

pytestmark = pytest.mark.row("E11")

LIGHT = Cost(n=4, r=1, p=1)
KEY = SigningKey.from_seed(b"keystore", "ada")
SECRET = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
PBKDF2: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
"""The test vectors of the Web3 Secret Storage Definition."""


def changed(told: dict[str, Any], *path: str, to: Any) -> bytes:
    copy = json.loads(json.dumps(told))
    at = copy
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = to
    return json.dumps(copy).encode()


@pytest.mark.parametrize("vector", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_the_definition_s_vectors_open(vector: dict[str, Any]) -> None:
    assert read_keystore(json.dumps(vector).encode(), b"testpassword").secret().hex() == SECRET


def test_another_wallet_s_library_opens_ours_and_we_open_its_own() -> None:
    ours = write_keystore(KEY, b"a passphrase that is long", cost=Cost(n=2**12))
    assert Account.decrypt(ours.decode(), "a passphrase that is long") == KEY.secret()
    theirs = json.dumps(Account.encrypt(KEY.secret(), "päss", iterations=4)).encode()
    assert read_keystore(theirs, "päss".encode()).id == KEY.id
    assert address_in(theirs) == (KEY.id, None)


@settings(max_examples=50)
@given(st.integers(1, CURVE_ORDER - 1), st.binary(min_size=1, max_size=80), st.binary(min_size=1, max_size=80))
def test_what_is_sealed_opens_with_its_passphrase_alone(secret: int, passphrase: bytes, other: bytes) -> None:
    key = SigningKey(secret.to_bytes(32))
    content = write_keystore(key, passphrase, Words("some words", "m/44'/60'/0'/0/7"), LIGHT)
    assert read_keystore(content, passphrase).secret() == key.secret()
    assert read_words(content, passphrase) == Words("some words", "m/44'/60'/0'/0/7")
    assert address_in(content) == (key.id, "m/44'/60'/0'/0/7")
    assert key.secret().hex().encode() not in content and b"some words" not in content
    if other != passphrase:
        with pytest.raises(Refused):
            read_keystore(content, other)


def test_two_files_of_one_key_have_nothing_secret_in_common() -> None:
    one, other = (json.loads(write_keystore(KEY, b"x", cost=LIGHT)) for _ in range(2))
    assert one["id"] != other["id"]
    for name in ("ciphertext", "cipherparams", "kdfparams", "mac"):
        assert one["crypto"][name] != other["crypto"][name]


def test_a_file_that_names_another_address_than_its_key_has_is_refused() -> None:
    told = json.loads(write_keystore(KEY, b"x", cost=LIGHT))
    with pytest.raises(Corrupt, match="tells its own key's address"):
        read_keystore(changed(told, "address", to="00" * 20), b"x")
    assert read_keystore(changed(told, "address", to="0x" + KEY.id[2:].upper()), b"x").id == KEY.id


GREEDY: list[tuple[str, Callable[[], bytes]]] = [
    ("memory", lambda: changed(SCRYPT, "crypto", "kdfparams", "n", to=2**30)),
    ("steps", lambda: changed(SCRYPT, "crypto", "kdfparams", "p", to=2**20)),
    ("rounds", lambda: changed(PBKDF2, "crypto", "kdfparams", "c", to=2**40)),
]


@pytest.mark.parametrize("content", [make for _, make in GREEDY], ids=[name for name, _ in GREEDY])
def test_a_file_that_asks_for_endless_work_is_refused_before_any(content: Callable[[], bytes]) -> None:
    with pytest.raises((Refused, Corrupt), match=r"work that a wallet does|PBKDF2 has its parameters"):
        read_keystore(content(), b"testpassword")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no key file"),
        (b"[]", "version 3"),
        (b'{"version": 1}', "version 3"),
        (b'{"version": 3}', "no key file"),
        (b"{" + b" " * MOST_BYTES, "at most"),
        (changed(SCRYPT, "crypto", "cipher", to="aes-256-gcm"), "aes-128-ctr"),
        (changed(SCRYPT, "crypto", "kdf", to="argon2"), "scrypt or pbkdf2"),
        (changed(PBKDF2, "crypto", "kdfparams", "prf", to="hmac-md5"), "hmac-sha256"),
        (changed(SCRYPT, "crypto", "kdfparams", "n", to=1000), "scrypt has its parameters"),
        (changed(SCRYPT, "crypto", "cipherparams", "iv", to="00"), "no key file"),
        (changed(SCRYPT, "crypto", "mac", to="zz" * 32), "no key file"),
        (b"\xff\xfe", "no key file"),
    ],
)
def test_what_is_no_key_file_is_refused_in_words(content: bytes, says: str) -> None:
    with pytest.raises(Corrupt, match=says):
        read_keystore(content, b"testpassword")


@settings(max_examples=200)
@given(st.data())
def test_a_spoiled_file_never_gives_another_key(data: st.DataObject) -> None:
    content = bytearray(write_keystore(KEY, b"x", cost=LIGHT))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        found = read_keystore(bytes(content), b"x")
    except CommonwattError:
        return
    assert found.id == KEY.id, "only what binds nothing was spoiled, as blanks and the file's own number"


def test_a_capital_crypto_is_read_as_some_wallets_write_it() -> None:
    told = json.loads(write_keystore(KEY, b"x", cost=LIGHT))
    told["Crypto"] = told.pop("crypto")
    assert read_keystore(json.dumps(told).encode(), b"x").id == KEY.id


def test_nothing_is_sealed_under_no_passphrase_and_nothing_secret_is_shown() -> None:
    with pytest.raises(InvalidValue, match="was empty"):
        write_keystore(KEY, b"")
    assert "secret words" not in repr(Words("secret words", "m/0"))
    with pytest.raises(Corrupt, match="says whose key"):
        address_in(json.dumps(SCRYPT).encode())
