"""What an embedded chain holds after its process was killed, its disk was full, or its file was spoiled."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest

from commonwatt.adapters.chains.embedded.block_log import FILE, BlockLog
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.opening import recheck
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.flows.chain_ports import TxHash
from commonwatt.model import Corrupt, Refused, Unreachable
from on_chain import ALICE, BEGAN_S, BOB, COINS, GENESIS, OPERATOR, HandClock

KILLS, LIVES_A_CHAIN = (1_000, 100) if os.environ.get("COMMONWATT_NIGHTLY") else (50, 25)


@pytest.mark.row("E14")
def test_a_kill_at_any_moment_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    # All are true SIGKILLs. They leave the page cache alone: this shows whole blocks and recovery; that what is told is
    # on the disk is the affair of SQLite's EXTRA, which the ledger's own store is tested for.
    chance = Random(20_261_127)
    told: dict[int, tuple[str, str]] = {}
    known: set[str] = set()
    with sending() as process:
        for life in range(KILLS):
            folder = tmp_path / str(life // LIVES_A_CHAIN)
            if not folder.exists():
                told, known = {}, set()
            for line in run_and_kill(process, folder, life, chance.randint(0, 8), chance.uniform(0, 0.01)):
                height, block_hash, state_root, txs = line.split(" ")
                told[int(height)] = block_hash, state_root
                known.update(txs.split(","))
            with EmbeddedChain(folder, GENESIS) as chain:
                assert chain.head.block_number >= max(told, default=0)
                for number, (block_hash, state_root) in told.items():
                    block = chain.block(number)
                    assert block is not None and block.hash.hex() == block_hash
                    assert block.header.state_root.hex() == state_root
                assert all(chain.place_of(bytes.fromhex(tx)) is not None for tx in known)
            told = {max(told): told[max(told)]} if told else {}
            if life % LIVES_A_CHAIN == LIVES_A_CHAIN - 1:
                assert recheck(folder) >= len(known) > LIVES_A_CHAIN


def test_a_full_disk_refuses_keeps_what_was_answered_and_the_chain_goes_on(tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path, GENESIS)
    first = chain.take(transfer(0))
    head = chain.head
    allow(chain, pages(chain))
    for _ in range(2):
        with pytest.raises(OSError, match="No space left") as full:
            chain.take_many([transfer(n) for n in range(1, 60)])
        assert full.value.errno == errno.ENOSPC
    assert chain.head == head and chain.place_of(first) == (1, 0)
    assert balance(chain, BOB.id) == COINS + 1
    allow(chain, 1 << 30)
    chain.take_many([transfer(n) for n in range(1, 60)])
    assert balance(chain, BOB.id) == COINS + 60
    chain.close()
    assert recheck(tmp_path) == 60


def test_a_disk_that_fails_closes_the_chain_and_says_that_nobody_knows(tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path, GENESIS)
    chain.take(transfer(0))
    spoil(tmp_path, "CREATE TRIGGER broken BEFORE INSERT ON block BEGIN SELECT RAISE(FAIL, 'the disk is broken'); END")
    with pytest.raises(Unreachable, match="the disk is broken"):
        chain.take(transfer(1))
    with pytest.raises(Unreachable, match="closed"):
        chain.take(transfer(1))
    spoil(tmp_path, "DROP TRIGGER broken")
    with EmbeddedChain(tmp_path) as again:
        again.take(transfer(1))


def test_one_process_has_a_chain_and_an_old_writer_that_wakes_up_cannot_write(tmp_path: Path) -> None:
    old = EmbeddedChain(tmp_path, GENESIS)
    with pytest.raises(Refused, match="one process has a chain open"):
        EmbeddedChain(tmp_path)
    # As on a disk whose locks are not kept, or after somebody removed the lock's file.
    (tmp_path / "chain.lock").unlink()
    with EmbeddedChain(tmp_path) as new:
        new.take(transfer(0))
        with pytest.raises(Refused, match="another writer has taken over"):
            old.take(transfer(0, value=2))
        new.take(transfer(1))
    old.close()
    assert recheck(tmp_path) == 2


def test_a_chain_begins_once(tmp_path: Path) -> None:
    EmbeddedChain(tmp_path, GENESIS).close()
    with pytest.raises(Refused, match="began once"):
        EmbeddedChain(tmp_path, Genesis(time_s=BEGAN_S))
    with EmbeddedChain(tmp_path) as chain:
        assert chain.genesis == GENESIS
        assert balance(chain, ALICE.id) == COINS


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM block WHERE number = 2", "block 2 of the chain is missing"),
        ("UPDATE block SET header = cast(header || x'00' AS BLOB) WHERE number = 2", "block 2 .* another hash"),
        ("UPDATE block SET header = substr(header, 1, 90) WHERE number = 2", "block 2 .* another hash"),
        ("UPDATE block SET hash = x'00' WHERE number = 2", "block 2 .* another hash"),
        ("UPDATE block SET number = 9 WHERE number = 2", "block 2 of the chain is missing"),
        ("UPDATE tx SET raw = x'00' WHERE number = 2", "block 2 of the chain is damaged: its transactions are others"),
        ("DELETE FROM tx WHERE number = 3", "block 3 of the chain is damaged: its transactions are others"),
        ("UPDATE tx SET number = 2, place = 1 WHERE number = 3", "its transactions are others"),
        ("UPDATE chain SET genesis = cast(replace(genesis, '1000', '2000') AS BLOB)", "its genesis makes another"),
        ("UPDATE chain SET genesis = x'7b7d'", "genesis is damaged"),
        ("DELETE FROM node", "the state after block 3 of the chain is missing"),
        ("UPDATE node SET value = cast(substr(value, 1, length(value) - 1) || x'07' AS BLOB)", "state is damaged"),
    ],
)  # fmt: skip
def test_a_damaged_block_is_named_when_the_chain_is_opened(tmp_path: Path, damage: str, told: str) -> None:
    story(tmp_path)
    spoil(tmp_path, damage)
    with pytest.raises(Corrupt, match=told):
        EmbeddedChain(tmp_path)


def test_a_receipt_that_lies_is_found_when_everything_is_run_again(tmp_path: Path) -> None:
    story(tmp_path)
    assert recheck(tmp_path) == 3
    spoil(tmp_path, "UPDATE tx SET receipt = cast(receipt || x'00' AS BLOB) WHERE number = 3")
    with pytest.raises(Corrupt, match="block 3 of the chain is not what its transactions make: other receipts"):
        recheck(tmp_path)


def test_any_flipped_bit_is_told_or_changes_nothing(tmp_path: Path) -> None:
    story(tmp_path)
    path, chance = tmp_path / FILE, Random(9)
    with EmbeddedChain(tmp_path) as chain:
        head, whole = chain.head, [seen(chain, number) for number in range(4)]
    content, found_out = path.read_bytes(), 0
    for _ in range(150):
        at = chance.randrange(100, len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :])
        try:
            with EmbeddedChain(tmp_path) as chain:
                assert chain.head == head
                assert [seen(chain, number) for number in range(4)] == whole
                assert balance(chain, BOB.id) == COINS + 3
        except (Corrupt, Refused, sqlite3.DatabaseError):
            found_out += 1
    assert found_out > 20


def test_a_file_cut_short_or_of_another_kind_is_told(tmp_path: Path) -> None:
    story(tmp_path)
    path = tmp_path / FILE
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises((Corrupt, Refused)):
        EmbeddedChain(tmp_path)
    path.write_bytes(b"a letter to my aunt; " * 1_000)
    with pytest.raises(Corrupt, match="no whole SQLite file"):
        EmbeddedChain(tmp_path)


def test_a_long_log_says_how_its_check_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story(tmp_path)
    monkeypatch.setattr("commonwatt.adapters.chains.embedded.opening._EVERY", 2)
    words: list[str] = []
    EmbeddedChain(tmp_path, word=words.append).close()
    assert words == ["2 of 4 blocks of the chain are checked", "4 of 4 blocks of the chain are checked"]


def test_blocks_are_durable_as_the_ledger_is(tmp_path: Path) -> None:
    with closing(BlockLog(tmp_path)) as log:
        assert log._db.execute("PRAGMA synchronous").fetchone() == (3,)
        assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@contextmanager
def sending() -> "Iterator[subprocess.Popen[str]]":
    child = Path(__file__).with_name("transfer_sender.py")
    places = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=places
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def run_and_kill(process: "subprocess.Popen[str]", folder: Path, seed: int, after: int, pause_s: float) -> list[str]:
    """Let a child send, kill it some answers and a moment later, and return what it answered."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{folder}\t{seed}\n")
    process.stdin.flush()
    _, pid = process.stdout.readline().split()
    heard = [process.stdout.readline().strip() for _ in range(after)]
    time.sleep(pause_s)
    os.kill(int(pid), signal.SIGKILL)
    while (line := process.stdout.readline()) != "dead\n":
        heard.append(line.strip())
    return heard


def story(folder: Path) -> list[TxHash]:
    """Tell of three blocks with a transfer each."""
    with EmbeddedChain(folder, GENESIS, clock=HandClock()) as chain:
        return [chain.take(transfer(number)) for number in range(3)]


def transfer(nonce: int, *, value: int = 1) -> bytes:
    to = bytes.fromhex(BOB.id[2:])
    return signed(Transaction(chain_id=GENESIS.chain_id, nonce=nonce, gas=30_000, to=to, value=value), OPERATOR)


def seen(chain: EmbeddedChain, number: int) -> tuple[bytes, list[bytes]]:
    block = chain.block(number)
    assert block is not None
    return block.hash, [tx.encode() for tx in block.txs]


def balance(chain: EmbeddedChain, account: str) -> int:
    return chain.state(chain.head.block_number).get_balance(bytes.fromhex(account[2:]))  # type: ignore[arg-type]  # py-evm names 20 bytes Address


def pages(chain: EmbeddedChain) -> int:
    return int(chain._log._db.execute("PRAGMA page_count").fetchone()[0])


def allow(chain: EmbeddedChain, most: int) -> None:
    chain._log._db.execute(f"PRAGMA max_page_count = {most}")


def spoil(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        db.execute(statement)
