"""Tell the story of a seed, or of several: ``python tests/simulation/tell.py SEED ...``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1] / "flows"), str(Path(__file__).parent)]
    from world import World

    for number in sys.argv[1:]:
        print(World(int(number)).run())
