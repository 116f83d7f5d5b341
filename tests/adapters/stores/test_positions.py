"""Where homes stand rests sealed, is read back as it was stated, and is gone when it is taken back."""

from pathlib import Path

import pytest

from commonwatt.adapters.stores.positions import POSITIONS, Positions
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.model import AccountId, Corrupt, Position

ANNA, BEN = AccountId("anna"), AccountId("ben")
HERE = Position(latitude_udeg=48_208_200, longitude_udeg=16_373_800)
THERE = Position(latitude_udeg=-33_868_800, longitude_udeg=151_209_300)


def test_positions_are_kept_sealed_and_read_by_whoever_looks_beside(tmp_path: Path) -> None:
    key = MasterKey.in_file(tmp_path / "master.key")
    kept, beside = Positions(tmp_path, key), Positions(tmp_path, key)
    assert kept.known() == {} == beside.known()
    kept.keep(ANNA, HERE)
    kept.keep(BEN, THERE)
    assert beside.known() == kept.known() == {ANNA: HERE, BEN: THERE}
    content = (tmp_path / POSITIONS).read_bytes()
    assert b"482082" not in content and (tmp_path / POSITIONS).stat().st_mode & 0o777 == 0o600
    kept.keep(ANNA, THERE)
    kept.keep(BEN, None)
    kept.keep(BEN, None)
    assert Positions(tmp_path, key).known() == {ANNA: THERE}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"anna": {"key": "AAAA", "sealed": "AAAA"}}'])
def test_a_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / POSITIONS).write_bytes(content)
    with pytest.raises(Corrupt):
        Positions(tmp_path, MasterKey.in_file(tmp_path / "master.key")).known()
