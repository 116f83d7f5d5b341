"""Look for known vulnerabilities in what we stand on, and for dangerous habits in our source: pip-audit and bandit.

python scripts/audit.py

Both live in an environment of their own, .audit/, and are no dependency. What bandit finds is mended, or excused on its
line for ruff's rule of the same number (`noqa: S608`, and why), or by name below; an excuse for nothing is a finding.
Exit code 1: something was found. 3: the tools or the list of vulnerabilities cannot be had here, which is not the same
as that nothing was found; what could be done was done, and found nothing.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".audit"
TOOLS = ("bandit==1.9.4", "pip-audit==2.10.1")
FOUND, NOT_TO_BE_HAD = 1, 3
EXCUSED: Mapping[tuple[str, str], str] = {
    ("B101", "*"): "an assert states what the code above it established, and checks no input; nothing runs with -O",
    ("B404", "*"): "a module that can start programs is none that does; B603 looks at each start",
    ("B311", "forecasting/load.py"): "a seeded generator of numbers, from which a model learns",
    ("B311", "forecasting/scenarios.py"): "a seeded generator of numbers, for days that may come",
    ("B405", "adapters/feeds/entsoe/translate.py"): "the name of a type; defusedxml reads",
    ("B413", "identity/keys.py"): "pycryptodome, which is kept up, goes by the name of pycrypto, which is not",
    ("B105", "flexibility/language/words.py"): "the word 'today' of the language",
    ("B105", "identity/signing_in/trail.py"): "words for events of tokens",
    ("B107", "apps/cli/gatewaying.py"): "an option that is not given",
}
"""By bandit's test and the file under src/commonwatt; why it is none."""
VULNERABLE: Mapping[str, str] = {}
"""By the vulnerability's id: why it does not concern us."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What bandit found: its test, the file under src/commonwatt, and the first and last line of the statement."""

    test: str
    file: str
    first: int
    last: int
    says: str


def main() -> int:
    """Audit, say what was found, and return the exit code."""
    if not _tools():
        return _say(NOT_TO_BE_HAD, "pip does not bring " + " and ".join(TOOLS))
    ours = list(judge(read_bandit(_bandit()), _source))
    theirs = _vulnerable()
    for line in [*ours, *(theirs or ())]:
        _say(FOUND, line)
    if ours or theirs:
        return FOUND
    if theirs is None:
        return _say(NOT_TO_BE_HAD, "our source: nothing. Packages: NOT LOOKED AT, no list of vulnerabilities is here")
    return _say(0, "our source and all packages in requirements.lock: nothing that is not excused")


def read_bandit(report: Mapping[str, Any]) -> list[Finding]:
    """Return what a report of bandit's says."""
    found = []
    for one in report["results"]:
        lines = one["line_range"] or [one["line_number"]]
        file = one["filename"].partition("src/commonwatt/")[2]
        found.append(Finding(one["test_id"], file, min(lines), max(lines), one["issue_text"]))
    return found


def judge(
    found: list[Finding], source: Callable[[str], list[str]], excused: Mapping[tuple[str, str], str] = EXCUSED
) -> Iterator[str]:
    """Yield what nobody excused, and excuses for nothing.

    Args:
        found: By bandit.
        source: Returns the lines of a file under src/commonwatt.
        excused: By test and file; the file may be ``*``.
    """
    used = set()
    for one in found:
        names = {(one.test, one.file), (one.test, "*")} & excused.keys()
        used |= names
        said = re.compile(rf"# noqa: [A-Z0-9, ]*\bS{one.test[1:]}\b")
        if not names and not any(said.search(line) for line in source(one.file)[one.first - 1 : one.last]):
            yield f"src/commonwatt/{one.file}:{one.first}: {one.test} {one.says}"
    for test, file in sorted(excused.keys() - used):
        yield f"scripts/audit.py: {test} in {file} is excused, and not there"


def read_pip_audit(report: Mapping[str, Any], excused: Mapping[str, str] = VULNERABLE) -> list[str] | None:
    """Return what a report of pip-audit's says is vulnerable; None where it could not look at all packages.

    It calls a package that its list does not know skipped, and the whole fine.
    """
    found = [
        f"{one['name']} {one['version']}: {known['id']}, mended in {', '.join(known['fix_versions']) or 'no version'}"
        for one in report["dependencies"]
        for known in one.get("vulns", ())
        if known["id"] not in excused
    ]
    skipped = any("skip_reason" in one for one in report["dependencies"])
    return None if skipped and not found else found


def _tools() -> bool:
    ready = PLACE / ("ready-" + "-".join(TOOLS))
    if ready.exists():
        return True
    venv.create(PLACE, clear=True, with_pip=True)
    brought = _run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS)
    if brought.returncode == 0:
        ready.touch()
    return brought.returncode == 0


def _bandit() -> Mapping[str, Any]:
    told = _run("bandit", "--quiet", "--recursive", "--format", "json", str(ROOT / "src"))
    report: Mapping[str, Any] = json.loads(told.stdout)
    return report


def _vulnerable() -> list[str] | None:
    """Look at one package first, so that where there is no list nobody asks for all the others."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "one.txt"
        probe.write_text("certifi==2022.12.7\n")
        told = _pip_audit(probe)
    if told is None or read_pip_audit(told, {}) is None:
        return None
    told = _pip_audit(ROOT / "requirements.lock")
    return None if told is None else read_pip_audit(told)


def _pip_audit(requirements: Path) -> Mapping[str, Any] | None:
    told = _run("pip-audit", "-r", str(requirements), "--no-deps", "--disable-pip", "--format", "json")
    try:
        report: Mapping[str, Any] = json.loads(told.stdout)
    except ValueError:
        return None
    return report


def _source(file: str) -> list[str]:
    return (ROOT / "src" / "commonwatt" / file).read_text().splitlines()


def _run(program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  our own words
        [str(PLACE / "bin" / program), *words], capture_output=True, text=True, check=False, cwd=ROOT
    )


def _say(code: int, line: str) -> int:
    (sys.stderr if code else sys.stdout).write(f"{line}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
