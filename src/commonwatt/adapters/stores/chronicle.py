"""Keep what a log told in tables that can be asked, in memory alone: at rest it lies in the log, encrypted."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from commonwatt.flows.chronicle import Believed, Chapter, Told, Traded
from commonwatt.metering.batch import Quality
from commonwatt.model import (
    AccountId,
    AssetId,
    Commodity,
    Entry,
    KeyId,
    Kind,
    OrderId,
    Outcome,
    Reading,
    Trade,
    slot_from,
)

MOST_ROWS = 10_000
"""What one question gets at most."""
_SCHEMA = """
CREATE TABLE leaf (position INTEGER PRIMARY KEY, stamped_s INTEGER, kind TEXT, account TEXT, author TEXT, seq INTEGER,
    outcome TEXT, slot_s INTEGER, asset TEXT, body BLOB);
CREATE INDEX leaf_by_account ON leaf (account, position);
CREATE INDEX leaf_by_asset ON leaf (asset, position) WHERE asset IS NOT NULL;
CREATE INDEX leaf_by_kind ON leaf (kind, position);
CREATE UNIQUE INDEX leaf_by_author ON leaf (author, seq);
CREATE TABLE entry (number INTEGER PRIMARY KEY, slot_s INTEGER, commodity TEXT, source TEXT, target TEXT,
    amount INTEGER, memo TEXT, ref TEXT);
CREATE INDEX entry_by_source ON entry (source, slot_s);
CREATE INDEX entry_by_target ON entry (target, slot_s);
CREATE INDEX entry_by_slot ON entry (slot_s);
CREATE TABLE reading (asset TEXT, slot_s INTEGER, import_wh INTEGER, export_wh INTEGER, level_wh INTEGER,
    quality INTEGER, position INTEGER, PRIMARY KEY (asset, slot_s)) WITHOUT ROWID;
CREATE INDEX reading_by_slot ON reading (slot_s);
CREATE TABLE trade (slot_s INTEGER, number INTEGER, buyer TEXT, seller TEXT, bid TEXT, ask TEXT, energy_wh INTEGER,
    price INTEGER, fee INTEGER, PRIMARY KEY (slot_s, number)) WITHOUT ROWID;
CREATE INDEX trade_by_buyer ON trade (buyer, slot_s);
CREATE INDEX trade_by_seller ON trade (seller, slot_s);
CREATE TABLE price (slot_s INTEGER PRIMARY KEY, import_price INTEGER, export_price INTEGER);
CREATE TABLE loss (slot_s INTEGER PRIMARY KEY, wh INTEGER);
"""
_TOLD = "position, stamped_s, kind, account, author, seq, outcome, slot_s, asset, body"
_EVER = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What one account gained and gave of one commodity for one memo over some slots, in base units."""

    memo: str
    commodity: Commodity
    gained: int
    gave: int


class Chronicle:
    """What was told so far; of one process, and of the thread that made it.

    Questions about many rows return them newest first, from before a place on, so that a next page goes on where the
    last ended whatever came meanwhile.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.executescript(_SCHEMA)

    def add(self, chapter: Chapter) -> None:
        """Take in a chapter; a corrected reading stands in place of the one before."""
        put = self._db.executemany
        self._db.execute("BEGIN")
        put("INSERT INTO leaf VALUES (?,?,?,?,?,?,?,?,?,?)", map(_leaf_row, chapter.leaves))
        put("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?)", (_entry_row(number, one) for number, one in chapter.entries))
        put("INSERT OR REPLACE INTO reading VALUES (?,?,?,?,?,?,?)", map(_reading_row, chapter.readings))
        put("INSERT OR REPLACE INTO trade VALUES (?,?,?,?,?,?,?,?,?)", map(_trade_row, chapter.trades))
        put("INSERT OR REPLACE INTO price VALUES (?,?,?)", ((at, *both) for at, both in chapter.prices.items()))
        put("INSERT OR REPLACE INTO loss VALUES (?,?)", chapter.losses_wh.items())
        self._db.execute("COMMIT")

    def leaves(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        kinds: Sequence[Kind] = (),
        account: AccountId | None = None,
        asset: AssetId | None = None,
        outcome: Outcome | None = None,
    ) -> list[Told]:
        """Return leaves that are as asked, the newest first, from before a position on."""
        where, values = _where({"account": account, "asset": asset, "outcome": outcome})
        if kinds:
            where += f" AND kind IN ({','.join('?' * len(kinds))})"
            values += [kind.value for kind in kinds]
        rows = self._db.execute(
            f"SELECT {_TOLD} FROM leaf WHERE position < ?{where} ORDER BY position DESC LIMIT ?",  # noqa: S608  our own names
            (_EVER if before is None else before, *values, _most(limit)),
        )
        return [_leaf(row) for row in rows]

    def leaf(self, position: int) -> Told | None:
        """Return one leaf; None where it is not told, or not yet."""
        row = self._db.execute(f"SELECT {_TOLD} FROM leaf WHERE position = ?", (position,)).fetchone()  # noqa: S608
        return _leaf(row) if row else None

    def position(self, author: KeyId, seq: int) -> int | None:
        """Return where a key's request of a number stands; None where it does not, or not yet."""
        row = self._db.execute("SELECT position FROM leaf WHERE author = ? AND seq = ?", (author, seq)).fetchone()
        return row[0] if row else None

    def entries(
        self,
        account: AccountId | None = None,
        *,
        before: int | None = None,
        limit: int = 50,
        from_s: int = 0,
        to_s: int = _EVER,
        commodity: Commodity | None = None,
        memo: str | None = None,
    ) -> list[tuple[int, Entry]]:
        """Return entries with their numbers, the newest first, from before a number on, of slots in [from_s, to_s)."""
        where, values = _where({"commodity": commodity, "memo": memo})
        if account is not None:
            where, values = where + " AND (source = ? OR target = ?)", [*values, account, account]
        rows = self._db.execute(
            "SELECT number, slot_s, commodity, source, target, amount, memo, ref FROM entry"  # noqa: S608
            f" WHERE number < ? AND slot_s >= ? AND slot_s < ?{where} ORDER BY number DESC LIMIT ?",
            (_EVER if before is None else before, from_s, to_s, *values, _most(limit)),
        )
        return [(row[0], _entry(row)) for row in rows]

    def entry(self, number: int) -> Entry | None:
        """Return one entry; None where none has this number yet, or it was booked before this chronicle begins."""
        row = self._db.execute(
            "SELECT number, slot_s, commodity, source, target, amount, memo, ref FROM entry WHERE number = ?", (number,)
        ).fetchone()
        return _entry(row) if row else None

    def sums(self, account: AccountId, from_s: int, to_s: int) -> list[Sum]:
        """Return what an account gained and gave over the slots in [from_s, to_s), by memo and commodity."""
        rows = self._db.execute(
            "SELECT memo, commodity, SUM(gained), SUM(gave) FROM ("
            " SELECT memo, commodity, amount AS gained, 0 AS gave FROM entry WHERE target = ?1"
            "   AND slot_s >= ?2 AND slot_s < ?3"
            " UNION ALL SELECT memo, commodity, 0, amount FROM entry WHERE source = ?1 AND slot_s >= ?2 AND slot_s < ?3"
            ") GROUP BY memo, commodity ORDER BY commodity, memo",
            (account, from_s, to_s),
        )
        return [Sum(memo=memo, commodity=Commodity(what), gained=more, gave=less) for memo, what, more, less in rows]

    def readings(self, asset: AssetId, from_s: int, to_s: int) -> list[Believed]:
        """Return what is believed of a meter in the slots of [from_s, to_s), in order."""
        rows = self._db.execute(
            "SELECT * FROM reading WHERE asset = ? AND slot_s >= ? AND slot_s < ? ORDER BY slot_s LIMIT ?",
            (asset, from_s, to_s, MOST_ROWS),
        )
        return [_reading(row) for row in rows]

    def sums_wh(self, assets: Sequence[AssetId], from_s: int, to_s: int) -> dict[int, tuple[int, int]]:
        """Return by slot of [from_s, to_s), in order, how many of some meters told, and their net energy in Wh."""
        rows = self._db.execute(
            "SELECT slot_s, COUNT(*), SUM(import_wh - export_wh) FROM reading"
            " WHERE asset IN (SELECT value FROM json_each(?)) AND slot_s >= ? AND slot_s < ?"
            " GROUP BY slot_s ORDER BY slot_s LIMIT ?",
            (json.dumps(list(assets)), from_s, to_s, MOST_ROWS),
        )
        return {slot_s: (count, net_wh) for slot_s, count, net_wh in rows}

    def owners_told(self, owners: Mapping[AssetId, AccountId], from_s: int, to_s: int) -> dict[int, int]:
        """Return by slot of [from_s, to_s), in order, of how many owners at least one meter told."""
        rows = self._db.execute(
            "SELECT slot_s, COUNT(DISTINCT own.value) FROM reading JOIN json_each(?) AS own ON own.key = asset"
            " WHERE slot_s >= ? AND slot_s < ? GROUP BY slot_s ORDER BY slot_s LIMIT ?",
            (json.dumps(owners), from_s, to_s, MOST_ROWS),
        )
        return dict(rows)

    def readings_at(self, slot_s: int) -> list[Believed]:
        """Return what is believed of all meters in one slot, by name."""
        rows = self._db.execute("SELECT * FROM reading WHERE slot_s = ? ORDER BY asset", (slot_s,))
        return [_reading(row) for row in rows]

    def last_slot_s(self, asset: AssetId | None = None) -> int | None:
        """Return the last slot of which anything is believed, of one meter or of any; None where there is none."""
        if asset is None:
            return _number(self._db.execute("SELECT MAX(slot_s) FROM reading").fetchone())
        return _number(self._db.execute("SELECT MAX(slot_s) FROM reading WHERE asset = ?", (asset,)).fetchone())

    def trades(
        self, from_s: int = 0, to_s: int = _EVER, account: AccountId | None = None, limit: int = 50
    ) -> list[Traded]:
        """Return trades of the slots in [from_s, to_s), the newest slot first; of one account, or of all."""
        where, values = (" AND (buyer = ? OR seller = ?)", [account, account]) if account is not None else ("", [])
        rows = self._db.execute(
            f"SELECT * FROM trade WHERE slot_s >= ? AND slot_s < ?{where}"  # noqa: S608
            " ORDER BY slot_s DESC, number LIMIT ?",
            (from_s, to_s, *values, _most(limit)),
        )
        return [_trade(row) for row in rows]

    def traded(self, from_s: int, to_s: int) -> dict[int, tuple[int, int]]:
        """Return by slot of [from_s, to_s), in order, what was traded in Wh, and what that came to, Wh times price."""
        rows = self._db.execute(
            "SELECT slot_s, SUM(energy_wh), SUM(energy_wh * price) FROM trade WHERE slot_s >= ? AND slot_s < ?"
            " GROUP BY slot_s ORDER BY slot_s",
            (from_s, to_s),
        )
        return {slot_s: (energy_wh, worth) for slot_s, energy_wh, worth in rows}

    def prices(self, from_s: int, to_s: int, limit: int = MOST_ROWS) -> dict[int, tuple[int, int]]:
        """Return import and export price of the last slots in [from_s, to_s), micro per kWh, in order."""
        rows = self._db.execute(
            "SELECT * FROM (SELECT * FROM price WHERE slot_s >= ? AND slot_s < ? ORDER BY slot_s DESC LIMIT ?)"
            " ORDER BY slot_s",
            (from_s, to_s, _most(limit)),
        )
        return {slot_s: (bought, sold) for slot_s, bought, sold in rows}

    def losses_wh(self, from_s: int, to_s: int) -> dict[int, int]:
        """Return what the feeder's meter and the members' differed by in the slots of [from_s, to_s), in Wh."""
        return dict(self._db.execute("SELECT * FROM loss WHERE slot_s >= ? AND slot_s < ?", (from_s, to_s)))

    def forget(self, assets: Sequence[AssetId], account: AccountId) -> None:
        """Forget what is told of an erased account's meters and requests; entries stay, as they do in the books."""
        for asset in assets:
            self._db.execute("DELETE FROM reading WHERE asset = ?", (asset,))
        self._db.execute("UPDATE leaf SET body = x'' WHERE account = ?", (account,))

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _where(wanted: dict[str, str | None]) -> tuple[str, list[Any]]:
    asked = {name: str(value) for name, value in wanted.items() if value is not None}
    return "".join(f" AND {name} = ?" for name in asked), list(asked.values())


def _most(limit: int) -> int:
    return max(0, min(limit, MOST_ROWS))


def _number(row: tuple[int | None]) -> int | None:
    return row[0]


def _leaf_row(one: Told) -> tuple[object, ...]:
    return (
        one.position,
        one.stamped_s,
        one.kind.value,
        one.account,
        one.author,
        one.seq,
        one.outcome.value,
        one.slot_s,
        one.asset,
        one.body,
    )


def _leaf(row: tuple[Any, ...]) -> Told:
    return Told(
        position=row[0],
        stamped_s=row[1],
        kind=Kind(row[2]),
        account=AccountId(row[3]),
        author=row[4],
        seq=row[5],
        outcome=Outcome(row[6]),
        slot_s=row[7],
        asset=None if row[8] is None else AssetId(row[8]),
        body=row[9],
    )


def _entry_row(number: int, one: Entry) -> tuple[object, ...]:
    return number, one.slot_s, one.commodity.value, one.source, one.target, one.amount, str(one.memo), one.ref


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(
        commodity=Commodity(row[2]),
        source=AccountId(row[3]),
        target=AccountId(row[4]),
        amount=row[5],
        memo=row[6],
        slot_s=row[1],
        ref=row[7],
    )


def _reading_row(one: Believed) -> tuple[object, ...]:
    told = one.reading
    return told.asset, one.slot_s, told.import_wh, told.export_wh, told.level_wh, int(one.quality), one.position


def _reading(row: tuple[Any, ...]) -> Believed:
    asset, slot_s, import_wh, export_wh, level_wh, quality, position = row
    reading = Reading(
        asset=AssetId(asset),
        interval=slot_from(slot_s),
        import_wh=import_wh,
        export_wh=export_wh,
        level_wh=level_wh,
    )
    return Believed(reading=reading, slot_s=slot_s, quality=Quality(quality), position=position)


def _trade_row(one: Traded) -> tuple[object, ...]:
    told = one.trade
    return (
        one.slot_s,
        one.number,
        told.buyer,
        told.seller,
        told.bid,
        told.ask,
        told.energy_wh,
        told.price_micro_per_kwh,
        told.fee_micro_per_kwh,
    )


def _trade(row: tuple[Any, ...]) -> Traded:
    slot_s, number, buyer, seller, bid, ask, energy_wh, price, fee = row
    trade = Trade(
        buyer=AccountId(buyer),
        seller=AccountId(seller),
        bid=OrderId(bid),
        ask=OrderId(ask),
        energy_wh=energy_wh,
        price_micro_per_kwh=price,
        fee_micro_per_kwh=fee,
    )
    return Traded(slot_s=slot_s, number=number, trade=trade)
