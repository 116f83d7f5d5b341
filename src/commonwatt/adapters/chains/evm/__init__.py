"""The port of chains on web3: the embedded chain and any network's node alike."""

import web3  # noqa: F401  first of all, so that what it does to the process as it is imported is done

from commonwatt.kernels.depth import bound_depth

bound_depth()
