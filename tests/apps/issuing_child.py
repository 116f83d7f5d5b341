"""Keep one issue of three homes after another, until killed; run by `test_issued`."""

import sys
from itertools import count
from pathlib import Path

import numpy as np

from commonwatt.apps.wiring import open_issued
from commonwatt.flows.issued import Issued
from commonwatt.model import LEVELS_PERMILLE

whole = np.zeros((len(LEVELS_PERMILLE), 96), np.int64)
for at_s in count(int(sys.argv[2])):
    told = [
        Issued(of="load", series=who, owner=who, issued_s=at_s, homes="", model="trees", used=True,
               slots_s=np.arange(96), quantiles=whole, baselines=whole[:2])
        for who in "abc"
    ]  # fmt: skip
    open_issued(Path(sys.argv[1])).keep(told)
    print(at_s, flush=True)
