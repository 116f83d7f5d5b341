"""What members brought along rests under keys of their own and goes with them; what they answered is unreadable."""

from pathlib import Path

import pytest

from commonwatt.adapters.stores import brought
from commonwatt.adapters.stores.answered import ANSWERED, Answer, Answered
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.brought import NOTHING_BROUGHT, Brought, HomePast
from commonwatt.forecasting.parked import Parked
from commonwatt.forecasting.sun import Place
from commonwatt.model import AccountId, AssetId, Corrupt, InvalidValue

ANNA, BEN = AccountId("anna"), AccountId("ben")
STAY = Parked(start_s=0, end_s=3_600, energy_wh=7_777_777)
HOME = HomePast(first_s=900, load_wh=(123_456,) * 4, solar_wh=(0,) * 4, stays={AssetId("car-01"): (STAY,)})
TOLD = Brought(place=Place(48, 11), prices_from_s=0, prices=((3, 2), (5, 4)), wear_micro_per_kwh=1, homes={ANNA: HOME})
KEY = MasterKey(bytes(32))


@pytest.mark.row("H8")
def test_a_past_is_read_as_it_was_kept_and_lies_sealed(tmp_path: Path) -> None:
    assert brought.read(tmp_path, KEY) == NOTHING_BROUGHT
    brought.keep(tmp_path, KEY, TOLD)
    assert brought.read(tmp_path, KEY) == TOLD
    raw = (tmp_path / brought.BROUGHT).read_text()
    assert "123456" not in raw and "7777777" not in raw
    with pytest.raises(Corrupt):
        brought.read(tmp_path, MasterKey(bytes([1]) * 32))


@pytest.mark.row("H8")
def test_who_is_erased_leaves_no_past_and_others_keep_theirs(tmp_path: Path) -> None:
    brought.keep(tmp_path, KEY, Brought(homes={ANNA: HOME, BEN: HOME}))
    assert brought.forget(tmp_path, ANNA) and not brought.forget(tmp_path, ANNA)
    assert list(brought.read(tmp_path, KEY).homes) == [BEN]
    assert not brought.forget(tmp_path / "nowhere", BEN)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"place":null}', b"\xff"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    for name in (brought.BROUGHT, ANSWERED):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Corrupt):
        brought.read(tmp_path, KEY)
    if content != b'{"place":null}':
        with pytest.raises(Corrupt):
            Answered(tmp_path)


def test_a_past_of_unequal_lists_and_a_stay_that_ends_before_it_begins_are_none() -> None:
    with pytest.raises(InvalidValue, match="equal lists"):
        HomePast(first_s=0, load_wh=(1,), solar_wh=())
    with pytest.raises(InvalidValue, match="ends after"):
        Parked(start_s=5, end_s=5, energy_wh=0)


@pytest.mark.row("X9")
def test_an_answer_is_remembered_for_who_gave_it_and_tells_nobody_else_what_was_asked(tmp_path: Path) -> None:
    told = Answered(tmp_path)
    told.keep(ANNA, "car-01 leaves at 07:30", Answer(accepted=False, at_s=5))
    again = Answered(tmp_path)
    assert again.of(ANNA, "car-01 leaves at 07:30") == Answer(accepted=False, at_s=5)
    assert again.of(BEN, "car-01 leaves at 07:30") is None
    raw = (tmp_path / ANSWERED).read_text()
    assert "anna" not in raw and "07:30" not in raw
