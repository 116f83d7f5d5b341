"""What rests encrypted: each owner under a key of their own, each text bound to its place."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.stores.vault import MasterKey, Vault
from commonwatt.model import Corrupt, InvalidValue, Refused

MASTER = MasterKey(bytes(range(32)))
owners = st.sampled_from(["anna", "ben", "snapshot", "é"])


@given(st.lists(st.tuples(owners, st.integers(0, 2**53), st.binary(max_size=300)), max_size=8))
def test_what_was_sealed_opens_for_its_owner_at_its_place_after_a_restart_too(
    texts: list[tuple[str, int, bytes]],
) -> None:
    vault, again = Vault(MASTER), Vault(MASTER)
    sealed = vault.seal(texts)
    kept = vault.fresh()
    assert set(kept) == {owner for owner, _, _ in texts}
    assert vault.fresh() == {}, "each new key is handed out once"
    again.load(kept)
    for one in (vault, again):
        assert [one.open(owner, position, text) for (owner, position, _), text in zip(texts, sealed, strict=True)] == [
            text for _, _, text in texts
        ]


@given(text=st.binary(max_size=60), at=st.integers(0, 500), bit=st.integers(0, 7))
def test_one_flipped_bit_is_found(text: bytes, at: int, bit: int) -> None:
    vault = Vault(MASTER)
    (sealed,) = vault.seal([("anna", 7, text)])
    at %= len(sealed)
    with pytest.raises(Corrupt, match="leaf 7 is damaged"):
        vault.open("anna", 7, sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :])


@pytest.mark.parametrize("cut", [0, 1, 11, 12, 27])
def test_a_text_that_was_cut_off_is_found(cut: int) -> None:
    vault = Vault(MASTER)
    (sealed,) = vault.seal([("anna", 7, b"text")])
    with pytest.raises(Corrupt, match="leaf 7 is damaged"):
        vault.open("anna", 7, sealed[:cut])


def test_no_text_passes_for_that_of_another_place_or_owner() -> None:
    vault = Vault(MASTER)
    first, second = vault.seal([("anna", 1, b"text"), ("ben", 1, b"text")])
    assert first[12:] != second[12:]
    for owner, position, sealed in (("anna", 2, first), ("ben", 1, first), ("anna", 11, first), ("anna", 1, second)):
        with pytest.raises(Corrupt, match="not the one that was written there"):
            vault.open(owner, position, sealed)


def test_the_same_text_never_looks_the_same_twice() -> None:
    vault = Vault(MASTER)
    assert len(set(vault.seal([("anna", 1, b"text")] * 50))) == 50


def test_a_forgotten_key_opens_nothing_and_the_next_one_is_another() -> None:
    vault = Vault(MASTER)
    (sealed,) = vault.seal([("anna", 1, b"text")])
    vault.forget("anna")
    assert not vault.knows("anna")
    assert vault.fresh() == {}, "a key that was forgotten is stored no more"
    with pytest.raises(Corrupt, match="its owner's key was erased"):
        vault.open("anna", 1, sealed)
    vault.seal([("anna", 2, b"text")])
    with pytest.raises(Corrupt, match="damaged"):
        vault.open("anna", 1, sealed)


def test_keys_of_another_master_or_damaged_ones_do_not_open() -> None:
    vault = Vault(MASTER)
    vault.seal([("anna", 1, b"text")])
    (wrapped,) = vault.fresh().values()
    assert wrapped != MASTER.unwrap(wrapped)
    for other, key in ((MasterKey(bytes(32)), wrapped), (MASTER, wrapped[:-1]), (MASTER, b""), (MASTER, bytes(40))):
        with pytest.raises(Corrupt, match="this master key does not open"):
            Vault(other).load({"anna": key})


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_has_32_bytes(size: int) -> None:
    with pytest.raises(InvalidValue, match="a master key has 32 bytes"):
        MasterKey(bytes(size))


def test_a_master_key_is_made_once_for_its_owner_alone_and_tells_nobody(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    path.parent.mkdir()
    first, second = MasterKey.in_file(path), MasterKey.in_file(path)
    assert second.unwrap(first.wrap(bytes(32))) == bytes(32)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().hex() not in repr(first) + str(first)
    path.chmod(0o640)
    with pytest.raises(Refused):
        MasterKey.in_file(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(Corrupt, match="holds no master key"):
        MasterKey.in_file(path)


@given(st.lists(st.tuples(owners, st.integers(0, 2**53), st.binary(max_size=300)), max_size=30), st.data())
def test_many_open_as_one_by_one_and_none_where_one_would_be_refused(
    texts: list[tuple[str, int, bytes]], data: st.DataObject
) -> None:
    vault = Vault(MASTER)
    sealed = vault.seal(texts)
    bent = data.draw(st.sets(st.sampled_from(range(len(texts))))) if texts else set()
    told = [
        (owner, position + (n in bent), text)
        for n, ((owner, position, _), text) in enumerate(zip(texts, sealed, strict=True))
    ]
    vault.forget("ben")
    assert vault.open_many([*told, ("nobody", 1, b"x" * 40), ("anna", 1, b"short")]) == [
        *(None if n in bent or owner == "ben" else text for n, (owner, _, text) in enumerate(texts)),
        None,
        None,
    ]
