"""Send transfers to an embedded chain until somebody kills this process's child, and say what was answered.

One line on standard input (the chain's folder and a seed, with a tab between) is one child: forked, since what takes
long is to import everything.
"""

import os
import sys
from pathlib import Path
from random import Random

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from on_chain import ALICE, BOB, GENESIS, OPERATOR


def serve() -> None:
    say("ready")
    while line := sys.stdin.readline():
        folder, seed = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            send_for_ever(Path(folder), Random(int(seed)))
        os.waitpid(child, 0)
        say("dead")


def send_for_ever(folder: Path, chance: Random) -> None:
    say(f"opening {os.getpid()}")
    chain = EmbeddedChain(folder, GENESIS)
    while True:
        key = chance.choice([OPERATOR, ALICE])
        first = chain.nonce(bytes.fromhex(key.id[2:]))
        raws = [
            signed(
                Transaction(
                    chain_id=chain.chain_id,
                    nonce=first + n,
                    gas=21_000,
                    to=chance.choice([bytes.fromhex(BOB.id[2:]), chance.randbytes(20)]),
                    value=chance.randint(1, 1_000),
                ),
                key,
            )
            for n in range(chance.choice([1, 1, 1, 4]))
        ]
        hashes = chain.take_many(raws)
        head = chain.head
        say(f"{head.block_number} {head.hash.hex()} {head.state_root.hex()} {','.join(h.hex() for h in hashes)}")


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
