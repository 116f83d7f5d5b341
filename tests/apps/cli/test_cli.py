"""The real command, as a person runs it: one street day, then everything one can do with what it left."""

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_door_kept import command

from commonwatt.apps.cli.main import COMMANDS
from commonwatt.apps.wiring import open_log
from commonwatt.flexibility.instructions import read
from commonwatt.model import CommonwattError, Refused

ROOT = Path(__file__).parents[3]
STREET = ROOT / "examples" / "street"
COMMAND = Path(sys.executable).with_name("commonwatt")


def commonwatt(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run") / "street"
    done = commonwatt("run", STREET, "--output", output)
    assert done.returncode == 0, done.stderr
    (output / "printed.txt").write_text(done.stdout)
    return output


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, object]:
    found = json.loads((folder / "summary.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.row("W2")
@pytest.mark.row("X2")
def test_a_run_prints_curves_bills_diaries_and_the_ledger(folder: Path, summary: dict[str, object]) -> None:
    printed = (folder / "printed.txt").read_text()
    for words in (
        "demand alone",
        "unmanaged cars",
        "smart charging",
        "and discharging",
        "member-10",
        "self-sufficiency",
    ):
        assert words in printed
    assert "START CHARGE" in printed
    assert str(summary["log_root"]) in printed
    assert str(summary["state_root"]) in printed


@pytest.mark.row("E1")
@pytest.mark.row("M1")
def test_the_street_pays_less_uses_more_of_its_own_sun_and_hides_nothing_in_its_stores(summary: dict[str, int]) -> None:
    assert summary["cost_after_micro"] < 0.85 * summary["cost_before_micro"]
    before, after = summary["shares_before"], summary["shares_after"]
    assert after["self_consumption_percent"] > before["self_consumption_percent"]  # type: ignore[index]  # JSON objects
    assert summary["stored_after_wh"] >= summary["stored_before_wh"]
    assert summary["losses_wh"] == 0
    assert summary["unmet"] == []
    assert summary["set_aside"] == []


def test_the_page_is_one_file_that_loads_nothing(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']?https?:""", page)
    assert "member-10" in page


def test_no_secret_can_be_read_by_others(folder: Path) -> None:
    for path in [
        *folder.rglob("*.pem"),
        *folder.rglob("passphrase"),
        *folder.rglob("master.key"),
        *folder.rglob("memory.json"),
        *(folder / name for name in ("log.sqlite", "evidence.json", "summary.json", "report.html")),
    ]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (folder / "keys" / "operator.pem").read_bytes()


@pytest.mark.row("M5")
def test_verify_holds_alone_and_fails_on_one_changed_digit(folder: Path, tmp_path: Path) -> None:
    trust = tmp_path / "community.pub"
    trust.write_bytes((folder / "community.pub").read_bytes())
    evidence = (folder / "evidence.json").read_text()
    (tmp_path / "fair.json").write_text(evidence)
    fair = commonwatt("verify", "fair.json", "--trust", "community.pub", cwd=tmp_path)
    assert (fair.returncode, "all of it holds" in fair.stdout) == (0, True)
    (tmp_path / "bent.json").write_text(
        re.sub(r'("energy_wh": )(\d)', lambda m: m[1] + str((int(m[2]) % 9) + 1), evidence, count=1)
    )
    bent = commonwatt("verify", "bent.json", "--trust", "community.pub", cwd=tmp_path)
    assert (bent.returncode, "FAILS" in bent.stdout) == (1, True)
    as_json = json.loads(commonwatt("verify", "bent.json", "--trust", "community.pub", "--json", cwd=tmp_path).stdout)
    assert as_json["ok"] is False


@pytest.mark.row("M2")
def test_replay_reaches_the_roots_that_the_run_printed(folder: Path, summary: dict[str, object]) -> None:
    found = json.loads(commonwatt("replay", folder, "--json").stdout)
    assert (found["log_root"], found["state_root"]) == (summary["log_root"], summary["state_root"])
    assert found["checkpoints"] == 96


def copy_log(folder: Path, to: Path) -> None:
    """Copy a log and the key that opens it."""
    (to / "keys").mkdir()
    for name in ("log.sqlite", "keys/master.key"):
        shutil.copy2(folder / name, to / name)


def test_a_log_without_its_master_key_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    copy_log(folder, tmp_path)
    (tmp_path / "keys" / "master.key").unlink()
    found = commonwatt("replay", tmp_path)
    assert (found.returncode, "a log is opened with its master key" in found.stderr) == (1, True)
    assert "Traceback" not in found.stderr


def test_replay_of_a_changed_log_says_where(folder: Path, tmp_path: Path) -> None:
    copy_log(folder, tmp_path)
    with sqlite3.connect(tmp_path / "log.sqlite") as log:
        log.execute("UPDATE leaf SET outcome = 'NOT_BACKED' WHERE position = 600")
    found = commonwatt("replay", tmp_path)
    assert (found.returncode, "position 600 was answered NOT_BACKED" in found.stderr) == (1, True)


def test_a_log_cut_short_still_agrees_with_itself_but_not_with_what_was_shown(folder: Path, tmp_path: Path) -> None:
    copy_log(folder, tmp_path)
    for name in ("community.pub", "evidence.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with sqlite3.connect(tmp_path / "log.sqlite") as log:
        # After what was decided together: anywhere else, the log alone would tell.
        log.execute(
            "DELETE FROM leaf WHERE position > (SELECT max(position) FROM leaf WHERE position < 1500 AND closes)"
        )
    found = commonwatt("replay", tmp_path)
    assert (found.returncode, "evidence beside the log shows" in found.stderr) == (1, True)


def test_a_folder_with_somebodys_work_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for words in ((), ("--fresh",)):
        with pytest.raises(Refused, match="something that is no run"):
            command("run", STREET, "--output", tmp_path, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_misuse_is_answered_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe")
    for words in (("plan", tmp_path / "file"), ("replay", tmp_path)):
        found = commonwatt(*words)
        assert (found.returncode, "Traceback" in found.stderr, found.stderr.count("\n")) == (1, False, 1), words
    # What else is raised as these are is said as these are.
    for words in (
        ("run", STREET, "--output", tmp_path / "file"),
        ("run", tmp_path),
        ("plan", STREET / "constraints.txt", "--at", "17:37"),
        ("plan", STREET / "constraints.txt", "--at", "noon"),
    ):
        with pytest.raises((CommonwattError, OSError)):
            command(*words)


def answered(folder: Path) -> int:
    """Return how many leaves a log holds that may be about to be made."""
    try:
        with open_log(folder) as log:
            return log.size
    except Refused:
        return 0


def test_ctrl_c_ends_in_a_word_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    words = [COMMAND, "run", STREET, "--output", tmp_path / "run"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while not (tmp_path / "run" / "log.sqlite-wal").exists():
            assert running.poll() is None
            time.sleep(0.1)
        while answered(tmp_path / "run") <= 50:
            assert running.poll() is None
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, said = running.communicate(timeout=60)
        assert time.monotonic() - began < 15, "nobody waits for the curve that was worked out beside"
    assert (running.returncode != 0, "Traceback" in said) == (True, False), said
    with open_log(tmp_path / "run") as log:
        assert log.size > 50


def test_a_plan_names_what_it_did_not_consider(tmp_path: Path) -> None:
    lines = ["battery of battery-03 >= 1 kWh at 20:00 on 20 November", "charge of car-02 >= 50% at 18:00"]
    (tmp_path / "wish.txt").write_text("\n".join(lines))
    said = command("plan", tmp_path / "wish.txt", "--at", "05:15")
    assert "lies beyond the 24 hours that are planned" in said
    assert "not plugged in at 05:15" in said


def test_a_plan_is_made_for_what_repeats_and_for_ranges(tmp_path: Path) -> None:
    lines = [
        "battery of battery-03 between 1 and 1.2 kWh at 20:00 every day",
        "charge of battery-04 >= 50% at 20:00 every day from 1 December",
        "no longer: charge of car-02 >= 50% at 18:00",
    ]
    (tmp_path / "wish.txt").write_text("\n".join(lines[:2]))
    said = command("plan", tmp_path / "wish.txt", "--at", "05:15")
    assert said.count("stated  battery of battery-03") == 2
    assert "cannot be kept: battery of battery-03" not in said
    assert "does not come in the 24 hours that are planned" in said
    (tmp_path / "wish.txt").write_text(lines[2])
    with pytest.raises(Refused, match="leave out what no longer does"):
        command("plan", tmp_path / "wish.txt", "--at", "05:15")


def test_running_again_changes_nothing(folder: Path, summary: dict[str, object]) -> None:
    again = commonwatt("run", STREET, "--output", folder, "--json")
    found = json.loads(again.stdout)
    assert (found["log_root"], found["leaves"]) == (summary["log_root"], summary["leaves"])


def test_a_folder_of_another_day_is_refused_in_one_line(folder: Path) -> None:
    with pytest.raises(Refused, match="folder holds a run of another street"):
        command("run", STREET, "--output", folder, "--day", "2018-11-15")


@pytest.mark.row("X1")
def test_plan_says_what_cannot_be_kept_and_by_how_much() -> None:
    said = command("plan", STREET / "constraints.txt")
    assert said.startswith("0 ")
    assert re.search(r"cannot be kept: charge of car-07 >= 95% at 18:00 .*short by [\d.]+ %", said)


@pytest.mark.row("X1")
@pytest.mark.row("X13")
def test_plan_names_the_conflict_and_a_cure_explains_a_slot_and_hands_the_schedules_over(tmp_path: Path) -> None:
    asked = ("--why", "battery-03@18:15", "--schedules", tmp_path / "told", "--json")
    told = json.loads(command("plan", STREET / "constraints.txt", *asked).removeprefix("0 "))
    assert any("charge of car-07 >= 95% at 18:00" in line for line in told["conflict"])
    assert any(line.strip().startswith("cure: ") for line in told["conflict"])
    assert told["why"][0].startswith("battery-03 ")
    written = sorted((tmp_path / "told").iterdir())
    assert {path.stem for path in written} == {entry["asset"] for entry in told["diary"]}
    assert all(read(path.read_bytes()).schedule.asset == path.stem for path in written)


@pytest.mark.row("X5")
@pytest.mark.row("M4")
def test_an_event_says_what_is_guaranteed_who_moves_and_what_the_plan_gives() -> None:
    said = command("event", "foresee", "demand response", "3000", "--from", "18:00", "--to", "18:30", "--json")
    told = json.loads(said.removeprefix("0 "))
    assert told["guaranteed"] == (told["ready_up_w"] >= 3000)
    assert sum(told["at_once_w"].values()) == (3000 if told["guaranteed"] else 0)
    assert told["met"]
    assert all(given <= asked for given, asked in zip(told["given_w"], told["asked_w"], strict=True))


def test_an_event_at_no_quarter_of_an_hour_or_outside_the_plan_is_refused_in_words() -> None:
    for words, says in (
        (("--from", "05:40"), "quarter of an hour"),
        (("--from", "05:00"), "announced before"),
        (("--from", "18:00+05:00"), "hours and minutes and no more"),
    ):
        with pytest.raises(CommonwattError, match=says):
            command("event", "foresee", "demand response", "-1000", "--at", "05:15", *words)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("charge of cra-01 >= 80% at 05:00", "did_you_mean car-01"),
        ("charge of car-01 is 80% at 05:00", "at_word 'is'"),
    ],
)
def test_a_statement_about_nothing_or_in_no_language_is_refused(line: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "wish.txt").write_text(line + "\n")
    with pytest.raises(CommonwattError, match=says):
        command("plan", tmp_path / "wish.txt", "--at", "05:15")


def test_a_day_that_was_not_recorded_is_refused_in_words(tmp_path: Path) -> None:
    for day, says in (("2018-07-01", "recorded data does not cover"), ("someday", "someday")):
        with pytest.raises((CommonwattError, ValueError), match=says):
            command("run", STREET, "--output", tmp_path / day, "--day", day)


def _shape(line: str) -> str:
    """Return a line with its figures and bars left out: those may differ in the last digit from machine to machine."""
    return re.sub(r"\s+", " ", re.sub(r"\b[0-9a-f]{64}\b|[-£]*[\d.]+|[ ▁▂▃▄▅▆▇█]+", " ", line)).strip()


def test_the_readme_shows_what_is_really_printed(folder: Path) -> None:
    shown = (ROOT / "README.md").read_text().split("```text\n")[1].split("```")[0]
    printed = {_shape(line) for line in (folder / "printed.txt").read_text().splitlines()}
    assert [line for line in shown.splitlines() if _shape(line) not in printed] == []


def test_every_command_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^commonwatt (\w+)", text, re.MULTILINE)) <= COMMANDS.keys()
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"^make (\w+)", text, re.MULTILINE)):
        assert f"\n{target}:" in makefile
