from dataclasses import replace
from struct import unpack

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.accounts import Accounts, mark
from commonwatt.ledger.journal import Journal, entry_leaf
from commonwatt.ledger.merkle import EMPTY_ROOT, merkle_root
from commonwatt.ledger.sheet import Sheet
from commonwatt.model import AccountId, Commodity, Entry, InvalidValue, canonical_json

NAMES = ["anne", "bert", "greta", "zoë", 'say "hi"', "back\\slash", "tab\there", "日本", "\x7f\x1f", "a" * 64]
MOST = 2**53 - 1
amounts = st.integers(1, 1_100) | st.integers(1, MOST) | st.sampled_from([9, 10, 99, 100, MOST])


ACCOUNTS = Accounts()
for name in [*NAMES, "grid", "market"]:
    ACCOUNTS.number(AccountId(name))
small = st.integers(0, 3) | st.integers(0, 10**9)
signed = st.integers(-(10**15), 10**15)


def entry(source: int, target: int, amount: int, commodity: Commodity = Commodity.ERGON, slot_s: int = 900) -> Entry:
    return Entry(
        commodity=commodity,
        source=AccountId(NAMES[source]),
        target=AccountId(NAMES[target]),
        amount=amount,
        memo="grid import",
        slot_s=slot_s,
    )


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    members = draw(st.lists(st.integers(0, len(NAMES) - 1), unique=True))
    many = st.lists(small, min_size=len(members), max_size=len(members))
    bought = draw(many)
    micro = st.lists(signed, min_size=len(members), max_size=len(members))
    columns = [members, bought, draw(st.permutations(bought)), draw(many), draw(many), draw(micro), draw(micro)]
    names = ("members", "bought_wh", "sold_wh", "import_wh", "export_wh", "traded_micro", "grid_micro")
    told = {name: np.array(column, np.int64) for name, column in zip(names, columns, strict=True)}
    return Sheet(slot_s=draw(st.sampled_from([0, 900, 32_503_680_000])), **told)


places = st.lists(st.integers(0, len(NAMES) - 1), min_size=2, max_size=2, unique=True)
entries = st.builds(
    lambda of, amount, commodity: entry(*of, amount, commodity), places, amounts, st.sampled_from(Commodity)
)
runs = st.lists(sheets() | st.lists(entries, max_size=9), max_size=5)


def add(journal: Journal, run: Sheet | list[Entry]) -> None:
    if isinstance(run, Sheet):
        journal.append_sheet(run, ACCOUNTS)
    else:
        for one in run:
            journal.append(one)


def leaves(run: Sheet | list[Entry]) -> list[bytes]:
    if isinstance(run, Sheet):
        return [line.tobytes() for line in run.lines(ACCOUNTS)]
    return [entry_leaf(one) for one in run]


@given(entries, st.text(max_size=20), st.text(max_size=8))
def test_a_leaf_is_the_entrys_rfc_8785_form(found: Entry, memo: str, ref: str) -> None:
    told = replace(found, memo=memo, ref=ref)
    assert entry_leaf(told) == canonical_json(
        {
            "amount": told.amount,
            "commodity": told.commodity.value,
            "memo": memo,
            "ref": ref,
            "slot_s": told.slot_s,
            "source": told.source,
            "target": told.target,
        }
    )


@given(sheets())
def test_a_line_says_who_it_is_about_and_what_moved_and_nothing_else(sheet: Sheet) -> None:
    names = ("bought_wh", "sold_wh", "import_wh", "export_wh", "traded_micro", "grid_micro")
    for n, line in enumerate(sheet.lines(ACCOUNTS)):
        told = unpack("<16sIIIIIqq", line.tobytes())
        amounts = tuple(int(getattr(sheet, name)[n]) for name in names)
        assert told == (mark(ACCOUNTS.name(int(sheet.members[n]))), sheet.slot_s // 900, *amounts)


@given(sheets())
def test_a_sheets_entries_move_what_its_lines_say(sheet: Sheet) -> None:
    books, plain = Accounts(), Accounts()
    for name in [*NAMES, "grid", "market"]:
        books.number(AccountId(name))
    for one in sheet.entries(ACCOUNTS):
        plain.post(one)
    energy_wh = sheet.bought_wh - sheet.sold_wh
    books.spread(Commodity.ENERGY, AccountId("market"), sheet.members, energy_wh)
    books.spread(Commodity.ENERGY, AccountId("grid"), sheet.members, sheet.import_wh - sheet.export_wh)
    books.spread(Commodity.ERGON, AccountId("market"), sheet.members, sheet.traded_micro)
    books.spread(Commodity.ERGON, AccountId("grid"), sheet.members, sheet.grid_micro)
    assert books.root() == plain.root()


def test_what_is_bought_and_was_not_sold_makes_no_sheet() -> None:
    one, none = np.array([1], np.int64), np.array([0], np.int64)
    with pytest.raises(InvalidValue, match="was sold"):
        Sheet(
            slot_s=0, members=none, bought_wh=one, sold_wh=none, import_wh=none, export_wh=none, traded_micro=none,
            grid_micro=none,
        )  # fmt: skip


@given(runs)
def test_adding_sheets_and_entries_is_adding_one_leaf_after_the_other(found: list[Sheet | list[Entry]]) -> None:
    journal, keeping = Journal(), Journal(keep=True)
    told: list[bytes] = []
    for run in found:
        add(journal, run)
        add(keeping, run)
        told += leaves(run)
        assert journal.root() == merkle_root(told), "at every moment, wherever the run began"
    assert keeping.root() == keeping.tree.root() == journal.root()
    assert journal.kept == []
    assert journal.count == keeping.count == len(told)
    assert journal.dump() == keeping.dump()
    moved = [one for run in found for one in (run.entries(ACCOUNTS) if isinstance(run, Sheet) else run)]
    assert keeping.kept == moved


@pytest.mark.parametrize("first", range(9))
@pytest.mark.parametrize("then", [1, 2, 3, 7, 8, 64, 100])
def test_a_run_may_begin_at_any_place(first: int, then: int) -> None:
    journal, none = Journal(), np.zeros(then, np.int64)
    before = [entry(0, 1, n + 1) for n in range(first)]
    many = Sheet(
        slot_s=900, members=np.arange(then) % 8, bought_wh=none, sold_wh=none, import_wh=np.arange(then),
        export_wh=none, traded_micro=none, grid_micro=none,
    )  # fmt: skip
    add(journal, before)
    add(journal, many)
    assert journal.root() == merkle_root([*leaves(before), *leaves(many)])


@given(runs, runs)
def test_a_journal_that_was_dumped_goes_on(found: list[Sheet | list[Entry]], more: list[Sheet | list[Entry]]) -> None:
    journal = Journal()
    for run in found:
        add(journal, run)
    again = Journal.load(*journal.dump())
    assert again.root() == journal.root()
    for run in more:
        add(again, run)
        add(journal, run)
    assert (again.root(), again.dump()) == (journal.root(), journal.dump())


@pytest.mark.parametrize(("count", "edge"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (2, bytes(31))])
def test_an_edge_that_does_not_belong_to_its_count_is_refused(count: int, edge: bytes) -> None:
    with pytest.raises(InvalidValue, match="the edge of"):
        Journal.load(count, edge)


def test_no_entries_have_the_empty_root() -> None:
    assert Journal().root() == EMPTY_ROOT
    assert Journal.load(0, b"").root() == EMPTY_ROOT
