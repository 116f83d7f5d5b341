"""Archive one small day after the other until somebody kills this process, and say how many are answered for."""

import sys
from pathlib import Path

from archived import MasterKey, facts_of, tables_of

from commonwatt.adapters.stores.archive.blobs import DiskBlobs
from commonwatt.adapters.stores.archive.write import archive_day


def archive_for_ever(folder: Path) -> None:
    number = 0
    while True:
        facts = facts_of(number)
        archive_day(DiskBlobs(folder), MasterKey(), facts, tables_of(facts))
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    archive_for_ever(Path(sys.argv[1]))
