"""An alarm is the same one from day to day, whatever is said of it today, until its fault was gone for a fortnight."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from commonwatt.adapters.stores import faults as store
from commonwatt.adapters.stores.answered import Answer, Word
from commonwatt.apps.faults import Known, followed, known
from commonwatt.apps.oversight import Alarm, Visit
from commonwatt.forecasting.health import Ailment
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId

pytestmark = pytest.mark.row("W11")
DAY_S = 86_400
NOW_S = 20_700 * DAY_S
NOTHING_SAID: Mapping[str, Answer] = {}


def _alarm(ailment: Ailment, since: int, asset: str = "meter", score: float = 9.0) -> Alarm:
    return Alarm(
        id="", asset=AssetId(asset), owner=AccountId("anna"), ailment=ailment, since_s=NOW_S + since * DAY_S,
        until_s=NOW_S, off_permille=70, score=score, threshold=8.0, false_alarms_permille=5, lost_wh=0, lost_micro=0,
        visit=Visit(start_s=0, end_s=1),
    )  # fmt: skip


def _look(folder: Path, day: int, *found: Alarm, said: Mapping[str, Answer] = NOTHING_SAID) -> list[Alarm]:
    return followed(found, folder, known(folder, lambda _, name: said.get(name)), NOW_S + day * DAY_S)


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
    for day in range(31, 92):
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


def _word(word: Word, day: int, off_permille: int = 70) -> Answer:
    return Answer(accepted=False, at_s=NOW_S + day * DAY_S, word=word, off_permille=off_permille)


def test_what_was_mended_is_quiet_while_all_that_is_seen_of_it_is_older_and_new_when_it_comes_back(
    tmp_path: Path,
) -> None:
    (first,) = _look(tmp_path, 0, _alarm(Ailment.CAPACITY, -14, "battery"))
    said = {first.id: _word(Word.MENDED, 1)}
    for day in range(2, 15):
        assert _look(tmp_path, day, _alarm(Ailment.CAPACITY, day - 14, "battery"), said=said) == []
    (again,) = _look(tmp_path, 16, _alarm(Ailment.CAPACITY, 2, "battery"), said=said)
    assert again.id != first.id and again.since_s == NOW_S + 2 * DAY_S
    (stays,) = _look(tmp_path, 17, _alarm(Ailment.CAPACITY, 3, "battery"), said=said)
    assert stays.id == again.id


def test_what_stays_as_it_is_is_quiet_until_it_is_clearly_worse_or_its_owner_takes_that_back(tmp_path: Path) -> None:
    shade = _alarm(Ailment.DRIFT, -5)
    (first,) = _look(tmp_path, 0, shade)
    said = {first.id: _word(Word.AS_IT_IS, 0)}
    assert _look(tmp_path, 1, replace(shade, off_permille=100), said=said) == []
    assert [one.id for one in _look(tmp_path, 2, shade)] == [first.id], "taken back"
    (worse,) = _look(tmp_path, 3, replace(shade, off_permille=140), said=said)
    assert worse.id != first.id and worse.off_permille == 140


def test_a_roof_s_fault_that_stands_is_known_to_the_next_look_and_one_that_somebody_spoke_of_is_looked_at_anew(
    tmp_path: Path,
) -> None:
    roof = Asset(
        id=AssetId("roof"), owner=AccountId("anna"), gateway=GatewayId("g"), kind=AssetKind.SOLAR, zone="z",
        max_import_w=0, max_export_w=5_000,
    )  # fmt: skip
    (first,) = _look(tmp_path, 0, replace(_alarm(Ailment.STRING_LOSS, -5, "roof"), lost_wh=5_000))

    def before(said: Mapping[str, Answer] = NOTHING_SAID) -> Known:
        return known(tmp_path, lambda _, name: said.get(name))

    past = before().roofs([roof])[roof.id]
    assert past.anew_s == 0 and past.stands is not None
    assert (past.stands.ailment, past.stands.off_permille, past.stands.lost_wh) == ("string loss", 70, 5_000)
    for word in Word:
        past = before({first.id: _word(word, 3)}).roofs([roof])[roof.id]
        assert past.stands is None and past.anew_s == NOW_S + 3 * DAY_S
    _look(tmp_path, 1)
    past = before().roofs([roof])[roof.id]
    assert past.stands is None, "it was seen to yield again"
    past = before({first.id: _word(Word.AS_IT_IS, 0)}).roofs([roof])[roof.id]
    assert past.anew_s == NOW_S, "the new level is what it is compared with, for as long as anything is looked back"
