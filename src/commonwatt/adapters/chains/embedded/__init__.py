"""A chain of our own on this machine: no server, real rules, a log that survives."""

import eth  # noqa: F401  first of all, so that what it does to the process as it is imported is done

from commonwatt.kernels.depth import bound_depth

bound_depth()
