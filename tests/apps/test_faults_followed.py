"""An alarm is the same one from day to day, whatever is said of it today, until its fault was gone for a fortnight."""

from dataclasses import replace
from pathlib import Path

import pytest

from commonwatt.adapters.stores import faults as store
from commonwatt.apps.faults import followed
from commonwatt.apps.oversight import Alarm, Visit
from commonwatt.forecasting.health import Ailment
from commonwatt.model import AccountId, AssetId

pytestmark = pytest.mark.row("W11")
DAY_S = 86_400
NOW_S = 20_700 * DAY_S


def _alarm(ailment: Ailment, since: int, asset: str = "meter", score: float = 9.0) -> Alarm:
    return Alarm(
        id="", asset=AssetId(asset), owner=AccountId("anna"), ailment=ailment, since_s=NOW_S + since * DAY_S,
        until_s=NOW_S, off_permille=70, score=score, threshold=8.0, false_alarms_permille=5, lost_wh=0, lost_micro=0,
        visit=Visit(start_s=0, end_s=1),
    )  # fmt: skip


def _look(folder: Path, day: int, *found: Alarm) -> list[Alarm]:
    return followed(found, folder, NOW_S + day * DAY_S)


def test_a_fault_keeps_its_name_and_beginning_while_what_is_looked_at_slides_on_and_its_words_change(
    tmp_path: Path,
) -> None:
    (first,) = _look(tmp_path, 0, _alarm(Ailment.CAPACITY, -14, "battery"))
    assert first.id
    for day in range(1, 60):
        (again,) = _look(tmp_path, day, _alarm(Ailment.CAPACITY, day - 14, "battery"))
        assert (again.id, again.since_s) == (first.id, first.since_s)
    (bypass,) = _look(tmp_path, 60, _alarm(Ailment.BYPASS, 40))
    (drift,) = _look(tmp_path, 61, _alarm(Ailment.DRIFT, 41))
    assert drift.id == bypass.id != first.id and drift.ailment is Ailment.DRIFT
    (other,) = _look(tmp_path, 62, _alarm(Ailment.DRIFT, 41, "meter-2"))
    assert other.id != drift.id, "of another device"


def test_a_fault_that_was_gone_for_a_fortnight_is_another_one_when_it_comes_back(tmp_path: Path) -> None:
    (first,) = _look(tmp_path, 0, _alarm(Ailment.SOILING, -3, "roof"))
    for day in range(1, 14):
        assert _look(tmp_path, day) == []
    (back,) = _look(tmp_path, 14, _alarm(Ailment.STRING_LOSS, 10, "roof"))
    assert back.id == first.id
    for day in range(15, 30):
        assert _look(tmp_path, day) == []
    (new,) = _look(tmp_path, 30, _alarm(Ailment.STRING_LOSS, 28, "roof"))
    assert new.id != first.id and new.since_s == NOW_S + 28 * DAY_S
    for day in range(31, 46):
        _look(tmp_path, day)
    assert store.read(tmp_path) == {}, "what is over is forgotten"


def test_a_charger_that_ignored_its_limits_three_times_has_one_alarm_told_by_the_worst(tmp_path: Path) -> None:
    runs = [_alarm(Ailment.OVER_LIMIT, since, "car", score) for since, score in ((-5, 4), (-3, 9), (-1, 3))]
    (one,) = _look(tmp_path, 0, *runs)
    assert (one.score, one.since_s) == (9, NOW_S - 5 * DAY_S)


def test_a_damaged_file_or_a_full_disk_hides_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _alarm(Ailment.DRIFT, -3)
    (first,) = _look(tmp_path, 0, found)
    (tmp_path / store.FAULTS).write_bytes(b'{"half')
    assert [one.asset for one in _look(tmp_path, 1, found)] == ["meter"]

    def full(folder: Path, faults: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(store, "keep", full)
    (other,) = _look(tmp_path, 2, replace(found, asset=AssetId("meter-2")))
    assert other.id and other.id != first.id
