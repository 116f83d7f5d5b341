"""Append batches to a log until somebody kills this process's child, and say which were acknowledged.

One line on standard input (where the log is, for PostgreSQL its community, a seed, with tabs between) is one child:
forked, since what takes long is to import everything.
"""

import os
import sys
from pathlib import Path
from random import Random

from commonwatt.adapters.stores.postgres import PostgresLog
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Outcome

MASTER = MasterKey(bytes(32))


def serve() -> None:
    say("ready")
    while line := sys.stdin.readline():
        place, community, seed = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            append_for_ever(place, community, int(seed))
        os.waitpid(child, 0)
        say("dead")


def append_for_ever(place: str, community: str, seed: int) -> None:
    chance = Random(seed)
    say(f"opening {os.getpid()}")
    # Now and then a body of many pages, so that kills also meet long writes, and checkpoints of SQLite's WAL.
    weights = [20, 300, 300, 50_000 if community else 200_000]
    with PostgresLog(place, community, MASTER) if community else SqliteLog(Path(place), MASTER) as log:
        batch = int(log.marks().get("batch", "0"))
        while True:
            batch += 1
            start, count = log.size, chance.randint(1, 7)
            weight = chance.choice(weights)
            rows = [leaf(start + place, f"{batch}:{place}:{count}:".encode() + bytes(weight)) for place in range(count)]
            tiles = {(0, 0): b"%032d" * batch % ((batch,) * batch)}
            log.append(rows, {"batch": str(batch), "size": str(start + count)}, tiles)
            say(str(batch))


def leaf(position: int, body: bytes) -> LeafRow:
    # Now and then somebody new signs, and somebody new owns.
    return LeafRow(
        position=position,
        stamped_s=0,
        salt=bytes(32),
        body=body,
        outcome=Outcome.BOOKED,
        author=f"key-{position // 50}",
        seq=position + 1,
        owner=f"member-{position // 20}",
        closes=True,
        items=body[:48],
        personal=body[:16] if position % 3 == 0 else b"",
    )


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
