"""Run the judge over one phase in its own environment: ``python -m benchmarks.citylearn.judge ARCHIVE [AGENT]``."""

import importlib
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.citylearn.controller import Controller, frozen

PARTS = ("cost_total", "carbon_emissions_total", "ramping_average", "monthly_one_minus_load_factor_average")
PEER = "BasicBatteryRBC"


def main(archive: Path, agent: str) -> int:
    """Print one JSON line: the district's ratios to no control, and the score."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        (schema,) = Path(folder).glob("*/schema.json")
        print(json.dumps({"phase": archive.name.removesuffix(".tar.gz"), "agent": agent, **judge(schema, agent)}))
    return 0


def judge(schema: Path, agent: str) -> dict[str, Any]:
    """Let the agent through the year once and return what the judge says; below 1 is better than no control."""
    os.environ["CITYLEARN_OFFLINE"] = "1"
    env = importlib.import_module("citylearn.citylearn").CityLearnEnv(str(schema), central_agent=True)
    if agent == PEER:
        player = getattr(importlib.import_module("citylearn.agents.rbc"), PEER)(env)
    else:
        player = Controller(env.observation_names[0], frozen())
    observations, _ = env.reset()
    began, decided_s, hours = perf_counter(), 0.0, 0
    while not env.terminated:
        asked = perf_counter()
        actions = player.predict(observations)
        decided_s += perf_counter() - asked
        observations, *_ = env.step(actions)
        hours += 1
    told = env.evaluate()
    district = told[(told["level"] == "district") & told["value"].notna()]
    ratios = {str(name): float(value) for name, value in zip(district["cost_function"], district["value"], strict=True)}
    return {
        "score": score(ratios),
        "ratios": ratios,
        "hours": hours,
        "decided_s": round(decided_s, 1),
        "elapsed_s": round(perf_counter() - began, 1),
    }


def score(ratios: dict[str, float]) -> float:
    """Return the mean of cost, carbon and the mean of ramping and 1 - load factor."""
    cost, carbon, ramping, load_factor = (ratios[name] for name in PARTS)
    return (cost + carbon + (ramping + load_factor) / 2) / 3


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "commonwatt"))
