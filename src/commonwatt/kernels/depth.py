"""How deep calls may go in a process that uses libraries of chains."""

import sys

EVM_DEPTH = 12_288
"""What py-evm needs for contracts that call each other 1,024 deep; far less than fills a thread's stack of 8 MB."""


def bound_depth() -> None:
    """Set again how deep Python may call, once web3, eth-account or py-evm are imported.

    Their py_ecc asks for 100,000 levels as it is imported, in the whole process: with that, brackets that somebody
    nests deeply enough in any JSON end the process by a segmentation fault, where they else are refused.
    """
    sys.setrecursionlimit(EVM_DEPTH)
