"""A gateway changes to a signed version at once, goes back by itself, and keeps what it has whatever goes wrong."""

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import commonwatt
from commonwatt.apps import launching, updating
from commonwatt.apps.cli.main import app
from commonwatt.model import Corrupt, InvalidValue, Refused

NOW_S = 1_800_000_000
NAMES = ("anne", "bob")
TELLS = """
import os, sys, time
from pathlib import Path
def main():
    with open(sys.argv[1], "a") as told:
        told.write("{version}\\n")
    healthy = Path(os.environ["COMMONWATT_HEALTHY_FILE"])
    {does}
"""
WELL = """healthy.touch()
    while (healthy.parent / "trial.json").exists(): time.sleep(0.02)"""
STAYS = WELL + "\n    time.sleep(60)"
CRASHES = "sys.exit(3)"
HANGS = "time.sleep(60)"


class Box:
    """A gateway's folder, and two people who sign releases for it."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder, self.told = path, path / "gateway", path / "told"
        self.versions = self.folder / updating.VERSIONS
        self.folder.mkdir()
        words = []
        for name in NAMES:
            place = self.made(path / f"first-{name}", "0.2", WELL)
            words.append(self.sign(place, "0.2", name))
        (self.folder / updating.PINNED).write_text(json.dumps({"threshold": 2, "keys": words}))

    def made(self, place: Path, version: str, does: str) -> Path:
        """Return a folder with a version of the program that tells which it is."""
        place.mkdir()
        with zipfile.ZipFile(place / f"commonwatt-{version}.whl", "w") as archive:
            for package in ("commonwatt", "commonwatt/apps", "commonwatt/apps/cli"):
                archive.writestr(f"{package}/__init__.py", "")
            archive.writestr("commonwatt/apps/cli/main.py", TELLS.format(version=version, does=does))
        return place

    def sign(self, place: Path, version: str, name: str, least: str = "0.0") -> str:
        return updating.release(
            place, version, self.path / f"keys-{name}", name, least=least, not_before_s=NOW_S, lasts_s=86_400
        )

    def offer(self, version: str, does: str = WELL) -> Path:
        """Return the folder of a release that both have signed."""
        place = self.made(self.path / f"release-{version}", version, does)
        for name in NAMES:
            self.sign(place, version, name)
        return place

    def update(self, version: str, does: str = WELL) -> None:
        updating.update(self.folder, str(self.offer(version, does)), NOW_S)

    def command(self) -> list[str | Path]:
        return [sys.executable, self.versions / updating.LAUNCHER, self.told]

    def launch(self, within_s: float = 20) -> int:
        """Run the launcher to its end, and return its code."""
        surroundings = {**os.environ, "COMMONWATT_HEALTHY_WITHIN_S": str(within_s)}
        return subprocess.run(self.command(), env=surroundings, timeout=30, check=False).returncode

    def ran(self) -> list[str]:
        return self.told.read_text().split() if self.told.exists() else []

    def settled(self, version: str) -> None:
        """Bring a version into force that has proven its health."""
        self.update(version)
        assert self.launch() == 0
        self.told.unlink()

    @property
    def present(self) -> str:
        return updating.present_version(self.folder)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.mark.row("W11")
def test_a_new_version_that_proves_its_health_stays_and_the_one_before_is_kept(box: Box) -> None:
    box.settled("1.2")
    assert not (box.versions / launching.PREVIOUS).exists()
    box.update("1.3")
    assert (box.versions / launching.TRIAL).exists()
    with pytest.raises(Refused, match="proves its health"):
        box.update("1.4")
    assert box.launch() == 0
    assert (box.ran(), box.present) == (["1.3"], "1.3")
    assert not (box.versions / launching.TRIAL).exists()
    assert (box.versions / launching.PREVIOUS).readlink() == Path("1.2")
    updating.update(box.folder, str(box.path / "release-1.4"), NOW_S)
    assert sorted(path.name for path in box.versions.iterdir() if path.is_dir() and not path.is_symlink()) == [
        "1.3",
        "1.4",
    ]


@pytest.mark.row("W11")
@pytest.mark.parametrize("does", [CRASHES, HANGS, "raise SystemExit(0)"])
def test_a_new_version_that_does_not_prove_its_health_is_taken_back_by_itself(box: Box, does: str) -> None:
    box.settled("1.2")
    box.update("1.3", does)
    assert box.launch(within_s=0.6 if does == HANGS else 20) == 0
    assert (box.ran(), box.present) == (["1.3", "1.2"], "1.2")
    assert box.launch() == 0
    assert box.ran() == ["1.3", "1.2", "1.2"]


def test_a_trial_that_was_cut_off_twice_or_is_unreadable_has_failed(box: Box) -> None:
    box.settled("1.2")
    box.update("1.3")
    launching.begin_trial(box.versions, launching.MOST_TRIES)
    assert box.launch() == 0
    assert box.ran() == ["1.2"]
    updating.update(box.folder, str(box.path / "release-1.3"), NOW_S)  # the newest may be tried again
    (box.versions / launching.TRIAL).write_text("{")
    assert box.launch() == 0
    assert box.ran() == ["1.2", "1.2"]


@pytest.mark.row("W11")
def test_a_gateway_that_runs_changes_to_the_new_version_and_ends_when_it_is_told_to(box: Box) -> None:
    box.update("1.2", STAYS)
    with subprocess.Popen(box.command()) as launcher:
        try:
            _until(lambda: box.ran() == ["1.2"] and not (box.versions / launching.TRIAL).exists())
            box.update("1.3", STAYS)
            _until(lambda: box.ran() == ["1.2", "1.3"] and not (box.versions / launching.TRIAL).exists())
            launcher.send_signal(signal.SIGTERM)
            assert launcher.wait(10) != 0
        finally:
            launcher.kill()
    assert box.present == "1.3"


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_unsigned_changed_old_or_late_leaves_the_present_version_in_force(box: Box) -> None:
    box.settled("1.2")
    one = box.made(box.path / "one", "1.3", WELL)
    box.sign(one, "1.3", "anne")
    late = box.offer("1.3")
    changed = box.offer("1.4")
    path = changed / "commonwatt-1.4.whl"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    missing = box.offer("1.5")
    (missing / "commonwatt-1.5.whl").unlink()
    old = box.offer("1.1")
    for source, now_s, words in (
        (one, NOW_S, "enough"),
        (late, NOW_S + 86_400, "its time"),
        (changed, NOW_S, "not what was signed"),
        (missing, NOW_S, "has its files"),
        (old, NOW_S, "newer than what runs"),
        (box.path, NOW_S, "has its files"),
    ):
        with pytest.raises((Refused, Corrupt), match=words):
            updating.update(box.folder, str(source), now_s)
        assert box.present == "1.2"
    assert {path.name for path in box.versions.iterdir() if path.is_dir()} == {"1.2", "current"}
    assert box.launch() == 0
    assert box.ran() == ["1.2"]


def test_an_old_manifest_shown_again_after_going_back_is_refused(box: Box) -> None:
    box.settled("1.2")
    box.update("1.4")
    assert box.launch() == 0
    updating.back(box.folder)
    assert box.present == "1.2"
    with pytest.raises(Refused, match="newer than all before"):
        box.update("1.3")
    with pytest.raises(Refused, match="go back from"):
        updating.back(Box(_fresh(box.path / "other")).folder)


def _fresh(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_disk_that_is_full_half_way_leaves_the_present_version_and_nothing_of_the_new_one(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.settled("1.2")
    place = box.offer("1.3")
    copy, done = shutil.copyfileobj, list[int]()

    def full(*words: object) -> None:
        done.append(1)
        if len(done) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(*words)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(OSError, match="No space"):
            updating.update(box.folder, str(place), NOW_S)
    assert box.present == "1.2"
    assert not list(box.versions.glob(".*.partial")), "nothing is left to fill the disk"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))  # type: ignore[attr-defined]
        with pytest.raises(OSError, match="no room"):
            updating.update(box.folder, str(place), NOW_S)
    (box.versions / ".1.3.partial").mkdir()  # as a loss of power leaves it
    updating.update(box.folder, str(place), NOW_S)
    assert box.present == "1.3"


@pytest.mark.parametrize("step", range(1, 5))
def test_killed_at_any_step_of_the_switch_one_version_or_the_other_runs(
    box: Box, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.settled("1.2")
    place = box.offer("1.3")
    steps = list[str]()

    def stop_at(name: str, whole: Callable[..., None]) -> Callable[..., None]:
        def run(*words: object) -> None:
            steps.append(name)
            if len(steps) == step:
                raise KeyboardInterrupt
            whole(*words)

        return run

    with monkeypatch.context() as patch:
        for where, name in ((launching, "point"), (updating, "save_secret"), (launching, "begin_trial")):
            patch.setattr(where, name, stop_at(name, getattr(where, name)))
        with pytest.raises(KeyboardInterrupt):
            updating.update(box.folder, str(place), NOW_S)
    assert steps[-1] == ["point", "save_secret", "begin_trial", "point"][step - 1]
    assert box.launch() == 0
    assert box.ran() == ["1.2"]
    updating.update(box.folder, str(place), NOW_S)
    assert box.launch() == 0
    assert box.ran() == ["1.2", "1.3"]


def test_an_archive_that_breaks_out_is_signed_by_nobody_and_unpacked_by_nobody(box: Box) -> None:
    link = zipfile.ZipInfo("commonwatt/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for number, member in enumerate((zipfile.ZipInfo("../../out.py"), zipfile.ZipInfo("/tmp/out.py"), link)):
        place = _fresh(box.path / f"bad-{number}")
        with zipfile.ZipFile(place / "bad.zip", "w") as archive:
            archive.writestr(member, "content")
        with pytest.raises(Corrupt, match="plain"):
            box.sign(place, "1.3", "anne")
        with pytest.raises(Corrupt, match="plain"):
            updating._unpack(box.folder, updating.artifact("bad.zip", b"x"), (place / "bad.zip").read_bytes())
    assert not (box.path / "out.py").exists()


def test_a_release_is_fetched_over_http_and_one_that_is_not_there_changes_nothing(box: Box) -> None:
    box.offer("1.3")
    handler = partial(QuietHandler, directory=str(box.path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(Refused, match="said no"):
            updating.update(box.folder, f"{url}/nowhere", NOW_S)
        assert updating.update(box.folder, f"{url}/release-1.3/", NOW_S).version == "1.3"
        server.shutdown()
        thread.join(5)
    with pytest.raises(Refused, match="reached"):
        updating.update(Box(_fresh(box.path / "other")).folder, url, NOW_S)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:  # type: ignore[override]
        pass


def test_release_keys_are_pinned_once_and_nothing_is_taken_without_them(box: Box, tmp_path: Path) -> None:
    place = str(box.offer("1.3"))
    pinned = (box.folder / updating.PINNED).read_text()
    given = tmp_path / "given.pub"
    given.write_text(json.dumps({**json.loads(pinned), "threshold": 1}))
    with pytest.raises(Refused, match="pinned once"):
        updating.update(box.folder, place, NOW_S, given)
    (box.folder / updating.PINNED).unlink()
    with pytest.raises(Refused, match="pinned in its folder"):
        updating.update(box.folder, place, NOW_S)
    given.write_text("{}")
    with pytest.raises(InvalidValue, match="release keys"):
        updating.update(box.folder, place, NOW_S, given)
    given.write_text(pinned)
    assert updating.update(box.folder, place, NOW_S, given).version == "1.3"


def test_two_updates_at_once_do_not_meet(box: Box) -> None:
    box.versions.mkdir()
    with updating._alone(box.versions), pytest.raises(Refused, match="one update"):
        box.update("1.3")


def test_a_release_folder_tells_of_one_release(box: Box) -> None:
    place = box.offer("1.3")
    with pytest.raises(Refused, match="signed once"):
        box.sign(place, "1.3", "anne")
    with pytest.raises(Refused, match="tells of this release"):
        box.sign(place, "1.4", "carl")
    with pytest.raises(InvalidValue, match="has none"):
        box.sign(_fresh(box.path / "empty"), "1.3", "anne")


@pytest.mark.row("W11")
def test_the_real_package_is_released_updated_to_and_taken_back_from_the_command_line(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    place, source = _fresh(box.path / "real"), Path(commonwatt.__file__).parent
    with zipfile.ZipFile(place / "commonwatt-9.9-py3-none-any.whl", "w", zipfile.ZIP_STORED) as archive:
        for path in source.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(source.parent))
    for name in NAMES:
        words = ["--version", "9.9", "--keys", str(box.path / f"keys-{name}"), "--name", name]
        app(["gateway", "release", str(place), *words], standalone_mode=False)
    told = capsys.readouterr().out
    assert json.loads((box.folder / updating.PINNED).read_text())["keys"] == told.split()
    app(["gateway", "update", str(box.folder), "--from", str(place)], standalone_mode=False)
    assert capsys.readouterr().out.startswith("in force: 9.9, before: 0.1.0")
    found = subprocess.run(
        [sys.executable, "-P", "-c", "import commonwatt.apps.updating as u; print(u.__file__)"],
        env={**os.environ, "PYTHONPATH": str(box.versions / launching.CURRENT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert Path(found.stdout.strip()) == box.versions / launching.CURRENT / "commonwatt/apps/updating.py"
    app(["gateway", "update", str(box.folder), "--back"], standalone_mode=False)
    assert capsys.readouterr().out.startswith("in force: 0.1.0, before: 9.9")
    with pytest.raises(InvalidValue, match="one of the two"):
        app(["gateway", "update", str(box.folder)], standalone_mode=False)


def test_a_program_confirms_its_health_to_the_launcher_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(launching.HEALTHY, raising=False)
    updating.confirm_health()
    monkeypatch.setenv(launching.HEALTHY, str(tmp_path / "healthy"))
    updating.confirm_health()
    assert (tmp_path / "healthy").exists()
