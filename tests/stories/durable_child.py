"""Runs the first slots of a durable day in a folder, and says each slot that is closed: the one that gets killed."""

import sys
from contextlib import ExitStack
from pathlib import Path

from paper_street import stage

from commonwatt.apps.wiring import durable_day


def main(folder: Path, slots: int, homes: int, starts: str) -> None:
    with ExitStack() as doors:
        day = durable_day(stage(homes, starts), folder, doors)
        for _, slot_s in zip(range(slots), day.run(), strict=False):
            print(slot_s, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
