"""Let a car charge at a real station as the command does, by a clock that stands in a file."""

import asyncio
import sys
from pathlib import Path

from charging_place import POST

from commonwatt.apps import plugging
from commonwatt.model import MICRO

WANTS_WH = 4_000


def main(folder: Path, port: int) -> None:
    def now_s() -> int:
        return int((folder / "clock").read_text(encoding="utf-8"))

    place = plugging.Place(
        host="127.0.0.1", port=port, now_s=now_s, pause=lambda: asyncio.sleep(0.02),
        on_word=lambda word: print(word, flush=True),
    )  # fmt: skip
    plug = plugging.Plug(wants_wh=WANTS_WH, most_micro=9 * MICRO, devices=folder / "site")
    print("done", plugging.charge(folder, "zoe", POST, plug, place), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
