import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.model import Corrupt, Refused


def test_a_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    save_secret(tmp_path / "key.pem", b"secret")
    assert load_secret(tmp_path / "key.pem") == b"secret"
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_saving_again_replaces_even_an_open_file_and_closes_it(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"a much longer old one")
    path.chmod(0o644)
    save_secret(path, b"new")
    assert load_secret(path) == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_secret_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    save_secret(path, b"secret")
    path.chmod(mode)
    with pytest.raises(Refused, match=f"chmod 600: path .*, found_mode {mode:04o}"):
        load_secret(path)


def test_a_missing_secret_or_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_secret(tmp_path / "key.pem")
    with pytest.raises(FileNotFoundError):
        save_secret(tmp_path / "nowhere" / "key.pem", b"secret")


def test_a_failed_save_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        save_secret(tmp_path / "taken", b"secret")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_passphrase_is_made_once_and_kept(tmp_path: Path) -> None:
    first = passphrase(tmp_path / "passphrase")
    assert len(first) == 64
    assert passphrase(tmp_path / "passphrase") == first
    assert passphrase(tmp_path / "other") != first
    assert stat.S_IMODE((tmp_path / "passphrase").stat().st_mode) == 0o600
    assert len(list(tmp_path.iterdir())) == 2


def test_all_who_ask_first_at_once_get_the_same_passphrase(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            path = tmp_path / str(number)
            assert len(set(pool.map(passphrase, [path] * 8))) == 1


def test_a_newline_from_an_editor_does_not_count(tmp_path: Path) -> None:
    save_secret(tmp_path / "passphrase", b"four words of mine\n")
    assert passphrase(tmp_path / "passphrase") == b"four words of mine"


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    save_secret(tmp_path / "passphrase", b"\n")
    with pytest.raises(Corrupt, match="not empty"):
        passphrase(tmp_path / "passphrase")
