"""The card of an open door: where it is, and what time it is there."""

from pathlib import Path

import pytest

from commonwatt.apps.door_card import DOOR_CARD, CardClock, DoorCard, posted, read, write
from commonwatt.model import Corrupt, InvalidValue, Refused

NOON = 1_542_196_800
CARD = DoorCard(
    community="street",
    host="127.0.0.1",
    port=7420,
    clock=CardClock(log_s=NOON, system_ms=1_700_000_000_500, slot_ms=10_000, until_s=NOON + 900),
)


def test_the_logs_time_is_read_off_the_systems_clock_and_stands_still_where_it_waits() -> None:
    assert CARD.now_s(1_700_000_000.5) == NOON
    assert CARD.now_s(1_700_000_001.5) == NOON + 90
    assert CARD.now_s(1_700_000_010.4) == NOON + 891
    assert CARD.now_s(1_700_009_000.0) == NOON + 900
    assert CARD.now_s(1_600_000_000.0) == NOON, "a system's clock that was set back turns no log's back"


def test_without_a_pace_the_logs_time_is_the_systems() -> None:
    usual = CardClock(log_s=1_700_000_000, system_ms=1_700_000_000_000)
    assert usual.at(1_700_000_123_999) == 1_700_000_123


def test_a_card_lies_in_the_folder_as_long_as_the_door_is_open(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no door is open"):
        read(tmp_path)
    with posted(tmp_path, CARD):
        assert read(tmp_path) == CARD
        later = DoorCard(community="street", host="::1", port=1, clock=CardClock(log_s=NOON, system_ms=0))
        write(tmp_path, later)
        assert read(tmp_path) == later
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"community": "street", "host": "x", "port": "7"}'])
def test_what_is_no_card_is_not_believed(tmp_path: Path, text: str) -> None:
    (tmp_path / DOOR_CARD).write_text(text)
    with pytest.raises(Corrupt, match="no door's card"):
        read(tmp_path)


def test_a_clock_lasts_and_waits_for_what_is_to_come() -> None:
    with pytest.raises(InvalidValue, match="a millisecond or more"):
        CardClock(log_s=NOON, system_ms=0, slot_ms=0)
    with pytest.raises(InvalidValue, match="still to come"):
        CardClock(log_s=NOON, system_ms=0, until_s=NOON - 1)
