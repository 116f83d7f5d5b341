"""`commonwatt forecast score`: cards of a recording and of a run, for people and for programs."""

import json
from pathlib import Path

import pytest
from lived import LivedStreet
from test_cli_prove import command

from commonwatt.model import InvalidValue, Refused

HOMES = Path(__file__).parents[3] / "examples" / "street" / "data" / "homes_2016_hourly_wh.csv"


@pytest.mark.row("X9")
def test_recorded_homes_are_scored_and_who_loses_says_so() -> None:
    told = json.loads(command("forecast", "score", HOMES, "--first", "42", "--json"))
    cards = [one["card"] for one in told]
    assert [card["series"] for card in cards] == [*(f"load_{home:02}_wh" for home in range(1, 11)), "all together"]
    assert all(card["slots"] == 4 * 24 and card["decision_micro"] is None for card in cards)
    for one in told:
        assert not one["choice"]["used"] or one["card"]["nmae"] <= one["card"]["baseline_nmae"]
        assert "off by" in one["choice"]["reason"]
    assert any(one["choice"]["used"] for one in told)


def test_a_runs_own_figures_are_shown(tmp_path: Path) -> None:
    score = {"member": "anna", "load_slot_ahead": 0.31, "load_day_ahead": 0.5}
    whole = {**score, "solar_slot_ahead": 0.2, "solar_day_ahead": 0.4}
    (tmp_path / "summary.json").write_text(json.dumps({"scores": [whole], "other": 1}))
    assert json.loads(command("forecast", "score", tmp_path, "--json")) == [whole]
    assert "0.310" in command("forecast", "score", tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps({"scores": [score]}))
    with pytest.raises(Refused, match="cannot be read"):
        command("forecast", "score", tmp_path)
    (tmp_path / "summary.json").unlink()
    with pytest.raises(Refused, match="no summary"):
        command("forecast", "score", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:2], "two rows"),
        (lambda rows: [*rows[:5], "2016-10-18T04:00:00,no", *rows[6:]], "line 6"),
        (lambda rows: [*rows[:5], *rows[6:], rows[-1]], "line 6"),
        (lambda rows: rows[:-3], "whole days"),
        (lambda rows: [rows[0], *rows[2:]], "whole days"),
        (lambda rows: [row.replace(",676,", ",-676,") for row in rows], "zero or more"),
        (lambda rows: [row.replace(",676,", ",inf,") for row in rows], "zero or more"),
        (lambda rows: rows[: 1 + 24 * 20], "before the first"),
        (lambda rows: ["\xff\x00"], "two rows"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path, change: object, message: str) -> None:
    file = tmp_path / "homes.csv"
    file.write_text("\n".join(change(HOMES.read_text().splitlines())) + "\n", encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(InvalidValue, match=message):
        command("forecast", "score", file)


def test_bytes_that_are_no_text_and_places_off_the_earth_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "homes.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidValue, match="CSV file with a heading"):
        command("forecast", "score", file)
    with pytest.raises(InvalidValue, match="90 degrees"):
        command("forecast", "score", HOMES, "--latitude", "91")


@pytest.mark.row("X9")
@pytest.mark.row("W11")
def test_a_communitys_log_is_scored_and_its_devices_are_looked_at(lived: LivedStreet) -> None:
    cards = json.loads(command("forecast", "score", lived.folder, "--cards", "--json"))
    assert {one["of"] for one in cards} >= {"net", "load"} and len([one for one in cards if one["of"] == "load"]) == 10
    assert all(one["used"] is False and "too few" in one["reason"] for one in cards), "some hours teach nothing"
    assert "member-01" in command("forecast", "score", lived.folder, "--cards")
    assert "no device needs a look" in command("alarms", lived.folder)
    assert json.loads(command("alarms", lived.folder, "--json")) == []
