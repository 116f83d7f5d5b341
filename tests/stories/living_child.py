"""Lets a small street on paper live on quickly in a folder, and says each slot that is over: it gets killed."""

import sys
import time
from pathlib import Path

import msgspec
from paper_street import stage

from commonwatt.apps.living import Living, Manner, Onlooker, Told


def say(told: Told) -> None:
    print(msgspec.json.encode(told).decode(), flush=True)


def main(folder: Path, starts: str) -> None:
    def ms() -> int:
        return time.time_ns() // 1_000_000

    manner = Manner(slot_ms=500, port=0, on_paper=True)
    Living(stage(2, starts), folder, manner, ms, ms, Onlooker(on_slot=say)).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
