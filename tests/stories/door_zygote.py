"""Hold a community's door open in process after process: forked from this one, so that starting costs little."""

import os
import sys
import time
from pathlib import Path

import numpy as np

from commonwatt.apps.accepting import Hours, accept
from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.kernels import keccak, secp256k1, sha256

NOON = 1_780_315_200
"""When the tiny community is founded; its log's time goes on from there, life after life."""
BEGAN_S = time.time()


def warm() -> None:
    """Load the compiled kernels once, in the one thread that there is before a fork."""
    some = np.zeros((8, 64), np.uint8)
    point = np.frombuffer(VerifyingKey(SigningKey.generate().public).point, np.uint8).reshape(1, 64)
    sha256.run_roots(sha256.leaf_hashes(some), np.array([8]))
    keccak.signed_digests(some.reshape(-1), np.array([0]), np.array([64]), b"}")
    secp256k1.verify_many(point, some[:1, :32].copy(), some[:1])


def main() -> None:
    warm()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            open_door(Path(line.strip()))
        print(f"child {child}", flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


def open_door(folder: Path) -> None:
    try:
        accept(
            folder,
            "127.0.0.1",
            0,
            lambda: NOON + int(time.time() - BEGAN_S),
            on_open=lambda port, leaves: print(f"open {port} {leaves}", flush=True),
            hours=Hours(check=False),
        )
    except BaseException as error:
        print(f"failed {type(error).__name__}: {error}", flush=True)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
