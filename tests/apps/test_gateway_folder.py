"""What a gateway's files may say, keys and paths among it, and what is refused in words."""

from pathlib import Path

import pytest

from commonwatt.adapters.stores.pkcs11_signer import Pkcs11Signer
from commonwatt.adapters.uplink.translate import Tls
from commonwatt.apps.gateway_folder import (
    GATEWAY,
    GatewayFile,
    KeyPlace,
    make_folder,
    open_signer,
    read_gateway,
    read_toml,
)
from commonwatt.apps.gateway_joining import register
from commonwatt.apps.gateway_lines import LineSecrets
from commonwatt.identity.keys import SigningKey
from commonwatt.model import InvalidValue, Refused
from servers.softhsm import SoftToken
from signers import P256Signer

pytestmark = pytest.mark.row("H1")
PUBLIC = SigningKey.from_seed(b"seed", "operator").public.hex()


def told(**more: object) -> GatewayFile:
    return GatewayFile(community="tiny", number="HEPEK-0007", **more)  # type: ignore[arg-type]


@pytest.mark.row("H9")
@pytest.mark.parametrize("alg", ["secp256k1", "P-256"])
def test_a_key_in_a_token_is_written_down_and_found_again(tmp_path: Path, soft_token: SoftToken, alg: str) -> None:
    kept = KeyPlace(
        kind="pkcs11", alg=alg, library=soft_token.library, token=soft_token.label, label=f"f {alg}", pin=soft_token.pin
    )
    key = make_folder(tmp_path / "box", told(key=kept))
    assert read_gateway(tmp_path / "box") == told(key=kept)
    assert isinstance(key, Pkcs11Signer)
    key.close()  # a process has one session in which it is logged in
    again = open_signer(tmp_path / "box", told(key=kept))
    assert isinstance(again, Pkcs11Signer)
    again.close()
    assert (again.public, again.alg) == (key.public, alg)
    assert not (tmp_path / "box" / "keys" / "key.pem").exists()


def test_paths_of_certificates_and_a_login_are_read_from_its_file(tmp_path: Path) -> None:
    tls = Tls(ca=Path("ca.pem"), cert=Path("/etc/cert.pem"))
    whole = told(uplink="wss://power.example:7421", community_public=PUBLIC, tls=tls, login=Path("keys/login"))
    make_folder(tmp_path / "box", whole)
    assert read_gateway(tmp_path / "box") == whole


def test_the_communitys_side_reads_its_paths_alike(tmp_path: Path) -> None:
    (tmp_path / "lines.toml").write_text('login = "login"\n[mqtt]\nca = "ca.pem"\n[websocket]\ncert = "a"\nkey = "b"\n')
    found = read_toml(tmp_path / "lines.toml", LineSecrets)
    assert found == LineSecrets(
        login=Path("login"), mqtt=Tls(ca=Path("ca.pem")), websocket=Tls(cert=Path("a"), key=Path("b"))
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("login = 7", "a path is told as text"),
        ('login = ""', "a path is told as text"),
        ('[key]\nalg = "P-256"', "a key in a file is of secp256k1"),
        ('[key]\nalg = "P-384"', "read strictly"),
        ('[key]\nkind = "pkcs11"\ntoken = "t"', "has library, token, label and pin"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / GATEWAY).write_text(f'community = "tiny"\nnumber = "gw"\n{line}\n')
    with pytest.raises(InvalidValue, match=why):
        read_gateway(tmp_path)


def test_a_point_of_another_curve_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="a point of P-256"):
        register(tmp_path, "gw", SigningKey((1).to_bytes(32)).public.hex(), "127.0.0.1", 1, "P-256")
    with pytest.raises(InvalidValue, match="a point of secp256k1"):
        register(tmp_path, "gw", P256Signer(2).public.hex(), "127.0.0.1", 1)


def test_a_folder_is_one_gateways(tmp_path: Path) -> None:
    make_folder(tmp_path / "box", told())
    with pytest.raises(Refused, match="one gateway's"):
        make_folder(tmp_path / "box", told(timezone="Europe/London"))
