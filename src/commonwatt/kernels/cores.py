"""Let compiled work run beside the interpreter: one pool of threads for all, as many as there are cores."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

CORES = os.cpu_count() or 1
COLLECT_AFTER = (50_000, 20, 100)
"""For `gc.set_threshold`: requests by the thousand come and go, with no cycles worth a look after each 700 objects."""
_P = ParamSpec("_P")
_T = TypeVar("_T")
_pool = ThreadPoolExecutor(CORES, thread_name_prefix="kernel")


def beside(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
    """Begin work that releases the interpreter's lock, and return where its result will be."""
    return _pool.submit(work, *args, **kwargs)


def shares(count: int, least: int) -> list[tuple[int, int]]:
    """Split so many items into runs, one a core, but none smaller than is worth handing over."""
    share = max(least, -(-count // CORES))
    return [(at, min(at + share, count)) for at in range(0, count, share)]
