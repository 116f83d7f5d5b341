"""What a payee holds and a payer's book, on disk: all or nothing, and damage is said."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from commonwatt.adapters.stores.vouchers import HeldFile, PocketFile
from commonwatt.model import Corrupt
from commonwatt.tokens.channel import Config, Payee, Payer, Voucher

CONFIG = Config(
    payer="0x" + "01" * 20, signer="0x" + "02" * 20, payee="0x" + "03" * 20, token="0x" + "04" * 20, delay_s=60,
    salt=2**256 - 1,
)  # fmt: skip


def held(number: int, total: int = 0) -> Payee:
    channel = f"{number:064x}"
    found = Payee(config=replace(CONFIG, salt=CONFIG.salt - number), channel=channel, account=f"member-{number}")
    return found.holding(Voucher(channel=channel, total=total, signature="a" * 128)) if total else found


def test_what_is_held_is_there_in_the_next_life_in_the_order_of_names(tmp_path: Path) -> None:
    kept = [held(0), held(1, 2**63 - 1), replace(held(2, 70), credited=30)]
    with HeldFile(tmp_path / "held.sqlite") as file:
        file.keep_all(reversed(kept))
        file.watch_from(42)
    with HeldFile(tmp_path / "held.sqlite") as file:
        assert file.after("", 9) == kept
        assert file.after(kept[0].channel, 1) == [kept[1]]
        assert (file.of(kept[2].channel), file.of("ff" * 32), file.watched_to()) == (kept[2], None, 42)
        file.keep(held(1, 2**63 - 1).crediting(5))
        found = file.of(kept[1].channel)
        assert found is not None
        assert found.credited == 5
    assert (tmp_path / "held.sqlite").stat().st_mode & 0o777 == 0o600


def test_many_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with HeldFile(tmp_path / "held.sqlite") as file:
        file._db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON held WHEN NEW.total = 13 BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
        with pytest.raises(OSError, match="vouchers cannot be kept"):
            file.keep_all([held(1, 5), held(2, 13)])
        assert file.after("", 9) == []


def test_a_book_is_there_in_the_next_life(tmp_path: Path) -> None:
    book = Payer(channel="ab" * 32).owing(70, 9).signing(Voucher(channel="ab" * 32, total=70, signature="b" * 128))
    with PocketFile(tmp_path / "book.sqlite") as file:
        assert file.book() is None
        file.keep(book)
        file.keep(book.answered(70))
    with PocketFile(tmp_path / "book.sqlite") as file:
        assert file.book() == book.answered(70)


@pytest.mark.parametrize("change", ["payer = 'nobody'", "salt = 'x'", "signature = 'short'", "credited = total + 1"])
def test_damage_is_said(tmp_path: Path, change: str) -> None:
    with HeldFile(tmp_path / "held.sqlite") as file:
        file.keep(held(1, 70))
    with sqlite3.connect(tmp_path / "held.sqlite") as db:
        db.execute(f"UPDATE held SET {change}")
    with HeldFile(tmp_path / "held.sqlite") as file, pytest.raises(Corrupt):
        file.of(held(1).channel)


def test_a_damaged_book_is_said(tmp_path: Path) -> None:
    with PocketFile(tmp_path / "book.sqlite") as file:
        file.keep(Payer(channel="ab" * 32))
    with sqlite3.connect(tmp_path / "book.sqlite") as db:
        db.execute("UPDATE book SET content = CAST('{\"channel\": 7}' AS BLOB)")
    with PocketFile(tmp_path / "book.sqlite") as file, pytest.raises(Corrupt):
        file.book()
