"""D1: how well batteries are driven by the judgement of CityLearn, a benchmark that others wrote."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.citylearn.controller import FROZEN
from benchmarks.citylearn.judge import PARTS, PEER
from benchmarks.figure import Figure, figure

ROOT = Path(__file__).parents[2]
HOUSEHOLDS = Path(os.environ.get("COMMONWATT_DATA", ROOT.parent / "shared" / "data")) / "households"
HOME = ROOT / ".peers" / "citylearn"
NEEDS = ("CityLearn==3.0.2", "numpy==1.26.4", f"highspy=={version('highspy')}")
BOUNDS = {1: {"cost": 0.546, "carbon": 0.670}, 2: {"cost": 0.547, "carbon": 0.656}}
TUNED_ON = (
    "phase 1, whose averages without control are the priors; phase 2 was judged after the setting was frozen. Homes "
    "differ, weather, prices and carbon are those of one year in both; the sun forecast's errors were seen on both"
)


def d1() -> Figure:
    """The worse score of the CityLearn 2022 phases, one frozen setting for both; 1 is no control, lower is better.

    The limit is the published bound of perfect foresight in that phase, the mean of cost and carbon.
    """
    python = _environment()
    phases = {phase: _judged(python, phase, "commonwatt") for phase in BOUNDS}
    peers = {phase: _judged(python, phase, PEER) for phase in BOUNDS}
    worse = max(phases, key=lambda phase: float(phases[phase]["score"]))
    bounds = {phase: (bound["cost"] + bound["carbon"]) / 2 for phase, bound in BOUNDS.items()}
    return figure(
        "D1", phases[worse]["score"], "score", bounds[worse],
        **{f"phase_{phase}": {**_short(told), "perfect_foresight": BOUNDS[phase]} for phase, told in phases.items()},
        **{f"{PEER}_{phase}": _short(told) for phase, told in peers.items()},
        judge=NEEDS[0], setting=FROZEN.name, tuned_on=TUNED_ON,
        seen="as shown before each action: this hour's load, sun, price, carbon; irradiance and price to 24 h ahead",
        better="lower", limit_is="mean of the published bounds of perfect foresight on cost and carbon",
    )  # fmt: skip


def _environment() -> Path:
    """Return the Python of the judge's own environment, made once; NumPy there is older than here."""
    python, made = HOME / "bin" / "python", HOME / "made_with.txt"
    wanted = "\n".join(NEEDS)
    if not made.exists() or made.read_text(encoding="utf-8") != wanted:
        own = shutil.which("python3.11") or sys.executable
        subprocess.run([own, "-m", "venv", "--clear", str(HOME)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDS], check=True)
        (HOME / ".gitignore").write_text("*\n", encoding="utf-8")
        made.write_text(wanted, encoding="utf-8")
    return python


def _judged(python: Path, phase: int, agent: str) -> dict[str, Any]:
    archive = HOUSEHOLDS / f"citylearn_challenge_2022_phase_{phase}.tar.gz"
    command: list[str | Path] = [python, "-m", "benchmarks.citylearn.judge", archive, agent]
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def _short(told: dict[str, Any]) -> dict[str, float]:
    parts = {name: round(float(told["ratios"][name]), 4) for name in (*PARTS, "daily_peak_average")}
    return {"score": round(float(told["score"]), 4), **parts, "decided_s": told["decided_s"]}
