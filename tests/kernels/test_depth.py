import subprocess
import sys

import pytest

from commonwatt.kernels.depth import EVM_DEPTH


@pytest.mark.parametrize("module", ["evm.chain", "embedded.chain", "rpc"])
@pytest.mark.parametrize("nested", ["[", '{"a":'])
def test_who_speaks_to_a_chain_still_refuses_what_is_nested_beyond_measure(module: str, nested: str) -> None:
    program = f"""
import json, sys, threading
import commonwatt.adapters.chains.{module}
def refuse():
    try:
        json.loads({nested!r} * 200_000)
    except RecursionError:
        print("refused")
refuse()
thread = threading.Thread(target=refuse)
thread.start()
thread.join()
print(sys.getrecursionlimit())
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout.split()) == (0, ["refused", "refused", str(EVM_DEPTH)]), told.stderr[-300:]
