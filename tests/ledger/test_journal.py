import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.journal import Journal, Postings, entry_leaf, posting_hashes
from commonwatt.ledger.merkle import EMPTY_ROOT, leaf_hash, merkle_root
from commonwatt.model import AccountId, Commodity, Entry, InvalidValue, canonical_json

NAMES = ["anne", "bert", "grid", "zoë", 'say "hi"', "back\\slash", "tab\there", "日本", "\x7f\x1f", "a" * 64]
MOST = 2**53 - 1
amounts = st.integers(1, 1_100) | st.integers(1, MOST) | st.sampled_from([9, 10, 99, 100, MOST])


def postings(moves: list[tuple[int, int, int]], commodity: Commodity = Commodity.ERGON, slot_s: int = 900) -> Postings:
    accounts = Accounts()
    for name in NAMES:
        accounts.number(AccountId(name))
    columns = np.array(moves, np.int64).reshape(-1, 3).T
    return Postings(
        commodity=commodity,
        accounts=accounts,
        sources=columns[0],
        targets=columns[1],
        amounts=columns[2],
        memo="grid import",
        slot_s=slot_s,
    )


places = st.lists(st.integers(0, len(NAMES) - 1), min_size=2, max_size=2, unique=True)
moves = st.lists(st.tuples(places, amounts).map(lambda one: (*one[0], one[1])), max_size=40)
runs = st.lists(
    st.builds(postings, moves, st.sampled_from(Commodity), st.sampled_from([0, 900, 32_503_680_000])), max_size=5
)


@given(moves, st.sampled_from(Commodity))
def test_compiled_hashes_are_those_of_each_entrys_leaf(moves: list[tuple[int, int, int]], commodity: Commodity) -> None:
    many = postings(moves, commodity)
    hashes = [row.tobytes() for row in posting_hashes(many)]
    assert hashes == [leaf_hash(entry_leaf(entry)) for entry in many.entries()]


@given(runs, st.text(max_size=20), st.text(max_size=8))
def test_a_leaf_is_the_entrys_rfc_8785_form(found: list[Postings], memo: str, ref: str) -> None:
    for entry in (entry for many in found for entry in many.entries()):
        told = Entry(
            commodity=entry.commodity,
            source=entry.source,
            target=entry.target,
            amount=entry.amount,
            memo=memo,
            slot_s=entry.slot_s,
            ref=ref,
        )
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


@given(runs, st.lists(st.booleans(), min_size=5, max_size=5))
def test_adding_many_is_adding_one_after_the_other(found: list[Postings], singly: list[bool]) -> None:
    one_by_one, mixed, keeping = Journal(), Journal(), Journal(keep=True)
    for many, alone in zip(found, singly, strict=False):
        for entry in many.entries():
            one_by_one.append(entry)
            if alone:
                mixed.append(entry)
        if not alone:
            mixed.append_many(many)
        keeping.append_many(many)
        assert mixed.root() == one_by_one.root(), "at every moment, wherever the run began"
    entries = [entry for many in found for entry in many.entries()]
    assert one_by_one.root() == merkle_root(entry_leaf(entry) for entry in entries)
    assert keeping.root() == keeping.tree.root() == one_by_one.root()
    assert keeping.kept == entries
    assert one_by_one.kept == mixed.kept == []
    assert one_by_one.count == mixed.count == keeping.count == len(entries)
    assert one_by_one.dump() == mixed.dump()


@pytest.mark.parametrize("first", range(9))
@pytest.mark.parametrize("then", [1, 2, 3, 7, 8, 64, 100])
def test_a_run_may_begin_at_any_place(first: int, then: int) -> None:
    journal, entries = Journal(), postings([(n % 3, 3, n + 1) for n in range(first + then)]).entries()
    for entry in entries[:first]:
        journal.append(entry)
    journal.append_many(postings([(n % 3, 3, n + 1) for n in range(first, first + then)]))
    assert journal.root() == merkle_root(entry_leaf(entry) for entry in entries)


@given(runs, runs)
def test_a_journal_that_was_dumped_goes_on(found: list[Postings], more: list[Postings]) -> None:
    journal = Journal()
    for many in found:
        journal.append_many(many)
    again = Journal.load(*journal.dump())
    assert again.root() == journal.root()
    for many in more:
        again.append_many(many)
        journal.append_many(many)
    assert (again.root(), again.dump()) == (journal.root(), journal.dump())


@pytest.mark.parametrize(("count", "edge"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (2, bytes(31))])
def test_an_edge_that_does_not_belong_to_its_count_is_refused(count: int, edge: bytes) -> None:
    with pytest.raises(InvalidValue, match="the edge of"):
        Journal.load(count, edge)


def test_no_entries_have_the_empty_root() -> None:
    assert Journal().root() == EMPTY_ROOT
    assert Journal.load(0, b"").root() == EMPTY_ROOT


def test_an_account_that_joins_while_names_are_written_down_is_written_down_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts, cumsum = Accounts(), np.cumsum
    accounts.number(AccountId("anne"))

    def meanwhile(lengths: list[int]) -> np.ndarray:
        accounts.number(AccountId("late"))
        return cumsum(lengths)

    # Hashes are made on another thread: this is the moment at which the first one may come.
    with monkeypatch.context() as patch:
        patch.setattr(np, "cumsum", meanwhile)
        names, ends = accounts.written_names()
    assert names[ends[0] : ends[1]].tobytes() == b"anne"
    names, ends = accounts.written_names()
    assert names[ends[1] : ends[2]].tobytes() == b"late"
