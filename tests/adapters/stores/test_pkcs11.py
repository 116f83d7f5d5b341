"""A master key in a security module: it wraps, it unwraps, and it never comes out."""

from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag

from commonwatt.adapters.stores.pkcs11 import Pkcs11Master
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, InvalidValue, Outcome, Refused
from servers.softhsm import SoftToken

KEY = bytes(range(32))


def master(at: SoftToken, key: str = "master", **changed: object) -> Pkcs11Master:
    told = {"token": at.label, "key": key, "pin": at.pin, "create": True, **changed}
    return Pkcs11Master(at.library, **told)  # type: ignore[arg-type]


@pytest.fixture(params=["key wrap", "GCM"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "GCM":
        offers = lambda slot, mechanism, uses: mechanism is pkcs11.Mechanism.AES_GCM  # noqa: E731
        monkeypatch.setattr("commonwatt.adapters.stores.pkcs11._offers", offers)
    return str(request.param)


def test_what_was_wrapped_opens_again_and_after_a_restart_too(soft_token: SoftToken, way: str) -> None:
    with master(soft_token) as first:
        wrapped = first.wrap(KEY)
        assert (first.unwrap(wrapped), len(wrapped)) == (KEY, 40 if way == "key wrap" else 60)
        assert KEY not in wrapped
    with master(soft_token, create=False) as again:
        assert again.unwrap(wrapped) == KEY


def test_what_one_mechanism_wrapped_opens_where_the_other_wraps_now(
    soft_token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    with master(soft_token) as by_key_wrap:
        wrapped = by_key_wrap.wrap(KEY)
    monkeypatch.setattr(
        "commonwatt.adapters.stores.pkcs11._offers", lambda slot, mechanism, uses: "GCM" in mechanism.name
    )
    with master(soft_token) as by_gcm:
        assert by_gcm.wrap(KEY) != by_gcm.wrap(KEY), "a nonce is never used twice"
        assert by_gcm.unwrap(wrapped) == KEY


@pytest.mark.parametrize("place", [0, 7, 20, 39])
def test_one_flipped_bit_is_found(soft_token: SoftToken, way: str, place: int) -> None:
    with master(soft_token) as one:
        wrapped = bytearray(one.wrap(KEY))
        wrapped[place] ^= 1
        with pytest.raises(Corrupt, match="does not open"):
            one.unwrap(bytes(wrapped))
        assert one.unwrap(one.wrap(KEY)) == KEY, "and the token goes on working"


@pytest.mark.parametrize("wrapped", [b"", bytes(39), bytes(41), bytes(60), bytes(1_000)])
def test_garbage_is_corrupt(soft_token: SoftToken, wrapped: bytes) -> None:
    with master(soft_token) as one, pytest.raises(Corrupt):
        one.unwrap(wrapped)


def test_another_master_key_does_not_open_it(soft_token: SoftToken, way: str) -> None:
    with master(soft_token) as one:
        wrapped = one.wrap(KEY)
        with pytest.raises(Corrupt):
            one.unwrap(MasterKey(bytes(32)).wrap(KEY))
    with master(soft_token, "other") as other, pytest.raises(Corrupt, match="does not open"):
        other.unwrap(wrapped)


def test_a_process_logs_in_once(soft_token: SoftToken) -> None:
    with master(soft_token) as one:
        with pytest.raises(Refused, match="UserAlreadyLoggedIn"):
            master(soft_token)
        assert one.unwrap(one.wrap(KEY)) == KEY, "who is in stays in"


def test_a_token_that_was_logged_out_is_refused_and_no_key_is_called_damaged(soft_token: SoftToken, way: str) -> None:
    one = master(soft_token)
    wrapped = one.wrap(KEY)
    one.close()
    one.close()
    with pytest.raises(Refused, match="a token unwraps keys"):
        one.unwrap(wrapped)
    with pytest.raises(Refused, match="a token wraps keys"):
        one.wrap(KEY)


def test_a_key_of_another_length_is_not_wrapped(soft_token: SoftToken) -> None:
    with master(soft_token) as one, pytest.raises(InvalidValue, match="has 32 bytes, was 16"):
        one.wrap(bytes(16))


def test_the_key_never_comes_out_of_the_token(soft_token: SoftToken) -> None:
    with master(soft_token) as one:
        with pytest.raises(pkcs11.PKCS11Error):
            one._key[Attribute.VALUE]
        with pytest.raises(pkcs11.PKCS11Error):
            one._key.wrap_key(one._key, mechanism=pkcs11.Mechanism.AES_KEY_WRAP)


def test_a_key_that_could_be_read_out_is_refused(soft_token: SoftToken) -> None:
    token = pkcs11.lib(str(soft_token.library)).get_token(token_label=soft_token.label)
    with token.open(user_pin=soft_token.pin.read_text().strip(), rw=True) as session:
        uses = MechanismFlag.WRAP | MechanismFlag.UNWRAP
        loose = {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}
        session.generate_key(KeyType.AES, 256, label="loose", store=True, capabilities=uses, template=loose)
        brought = {
            Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.TOKEN: True,
        }
        brought |= {Attribute.VALUE: KEY, Attribute.LABEL: "brought", Attribute.SENSITIVE: True}
        session.create_object({**brought, Attribute.EXTRACTABLE: False})
        closed = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        session.generate_key(KeyType.AES, 128, label="short", store=True, capabilities=uses, template=closed)
    for label in ("loose", "brought", "short"):
        with pytest.raises(Refused, match="never to be read out"):
            master(soft_token, label)


def test_two_keys_of_one_label_are_refused(soft_token: SoftToken) -> None:
    token = pkcs11.lib(str(soft_token.library)).get_token(token_label=soft_token.label)
    with token.open(user_pin=soft_token.pin.read_text().strip(), rw=True) as session:
        for _ in range(2):
            session.generate_key(KeyType.AES, 256, label="twins", store=True)
    with pytest.raises(Refused, match="one key of a label"):
        master(soft_token, "twins")


def test_an_empty_token_is_no_fresh_start(soft_token: SoftToken) -> None:
    with pytest.raises(Refused, match="no such key in the token"):
        master(soft_token, "never made", create=False)


def test_a_wrong_token_pin_or_library_is_refused_in_words(soft_token: SoftToken, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.touch(0o600)
    pin.write_text("0000")
    for wrong, says in (({"pin": pin}, "PinIncorrect"), ({"token": "elsewhere"}, "NoSuchToken")):
        with pytest.raises(Refused, match=says):
            master(soft_token, **wrong)
    with pytest.raises(Refused, match="opens with its label and PIN"):
        Pkcs11Master(tmp_path / "missing.so", token="ledger", key="master", pin=soft_token.pin)


def test_a_pin_that_others_may_read_is_refused(soft_token: SoftToken, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_bytes(soft_token.pin.read_bytes())
    pin.chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        master(soft_token, pin=pin)


def test_a_log_rests_under_a_key_in_the_token(soft_token: SoftToken, tmp_path: Path) -> None:
    row = LeafRow(
        position=0, stamped_s=0, salt=bytes(32), body=b"{}", outcome=Outcome.BOOKED, author="a", seq=1, owner="anna",
        closes=True,
    )  # fmt: skip
    with master(soft_token) as key, SqliteLog(tmp_path / "log.sqlite", key) as log:
        log.append([row], {})
    with master(soft_token, create=False) as key, SqliteLog.open_readonly(tmp_path / "log.sqlite", key) as log:
        assert list(log.rows()) == [row]
    with master(soft_token, "other") as key, pytest.raises(Corrupt, match="does not open"):
        SqliteLog.open_readonly(tmp_path / "log.sqlite", key)
