import asyncio
import logging
import sqlite3
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from lived import LivedStreet, open_community

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps import community as room
from commonwatt.apps.community import Community
from commonwatt.apps.wiring import open_log
from commonwatt.flows import chronicle
from commonwatt.flows.chronicle import Chapter
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, KeyId, Kind, Outcome, Refused, Side


def followed(lived: LivedStreet) -> Community:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    community.catch_up()
    return community


def bid(slot_s: int, energy_wh: int = 40) -> order_bodies.SlotOrder:
    return order_bodies.SlotOrder(side=Side.BID, energy_wh=energy_wh, price_micro_per_kwh=100_000, slot_s=slot_s)


def test_a_community_that_is_followed_stands_where_its_log_stands(lived: LivedStreet) -> None:
    community = followed(lived)
    assert (community.size, community.state.root().hex()) == (lived.size, lived.state_root)
    assert community.told_s == lived.last_s
    community.close()


def test_its_chronicle_holds_every_entry_reading_and_trade_of_the_log(lived: LivedStreet) -> None:
    community = followed(lived)
    with open_log(lived.folder) as log:
        whole = replay(log.rows(), community.name, keep=True).state
    told = community.chronicle.entries(limit=10_000)
    assert [entry for _, entry in reversed(told)] == whole.entries
    assert [number for number, _ in reversed(told)] == list(range(len(whole.entries)))
    for slot_s, slot in whole.readings.items():
        assert {one.reading.asset: one.reading for one in community.chronicle.readings_at(slot_s)} == dict(slot)
    for slot_s in whole.slot_market.slots():
        if slot_s < whole.settled_to_s:
            found = [one.trade for one in community.chronicle.trades(slot_s, slot_s + SLOT_SECONDS)]
            assert found == whole.slot_market.told(slot_s, whole.slot_market.trades(slot_s))
    assert community.chronicle.prices(0, 2**40) == dict(sorted(whole.prices.items()))
    assert community.chronicle.losses_wh(0, 2**40) == whole.losses_wh
    community.close()


def test_what_was_decided_together_is_told_whole_however_much_it_is(
    lived: LivedStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The founding of a large community is one commit of more leaves than are read at once."""
    monkeypatch.setattr(chronicle, "AT_ONCE", 7)
    community = followed(lived)
    assert (community.size, community.state.root().hex()) == (lived.size, lived.state_root)
    community.close()


def test_sums_of_an_account_are_those_of_its_entries(lived: LivedStreet) -> None:
    community, account = followed(lived), AccountId("member-01")
    found = Counter[tuple[str, Commodity]]()
    for _, entry in community.chronicle.entries(account, limit=10_000):
        found[str(entry.memo), entry.commodity] += entry.amount if entry.target == account else -entry.amount
    sums = {(one.memo, one.commodity): one.gained - one.gave for one in community.chronicle.sums(account, 0, 2**40)}
    assert sums == dict(found) and sums
    community.close()


def test_pages_of_entries_follow_one_another_without_gap_or_repeat(lived: LivedStreet) -> None:
    community, account = followed(lived), AccountId("member-02")
    whole = community.chronicle.entries(account, limit=10_000)
    paged, before = [], None
    while page := community.chronicle.entries(account, before=before, limit=7):
        paged += page
        before = page[-1][0]
    assert paged == whole and len(whole) > 14
    community.close()


def test_what_a_member_sends_is_told_before_they_have_their_answer(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            heard: list[Chapter] = []
            community.on_chapter(heard.append)
            done = await community.send(AccountId("member-01"), Kind.ORDER, bid(lived_copy.end_s + SLOT_SECONDS))
            assert done.outcome is Outcome.BOOKED and done.position is not None
            leaf = community.chronicle.leaf(done.position)
            assert leaf is not None and (leaf.kind, leaf.account) == (Kind.ORDER, "member-01")
            assert AccountId("member-01") in heard[-1].accounts
            refused = await community.send(AccountId("member-01"), Kind.ORDER, bid(lived_copy.end_s - SLOT_SECONDS))
            assert refused.outcome is Outcome.TOO_LATE and refused.position == done.position + 1

    asyncio.run(story())


def test_many_requests_of_one_key_at_once_are_numbered_one_after_the_other(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            slot_s = lived_copy.end_s + SLOT_SECONDS
            sends = (community.send(AccountId("member-01"), Kind.ORDER, bid(slot_s, wh)) for wh in range(1, 6))
            done = await asyncio.gather(*sends)
            assert [one.outcome for one in done] == [Outcome.BOOKED] * 5
            assert len({one.position for one in done}) == 5

    asyncio.run(story())


def test_a_log_that_cannot_be_read_for_once_is_followed_again_and_says_so_meanwhile(
    lived_copy: LivedStreet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "RETRY_S", 0.01)

    async def story() -> None:
        async with open_community(lived_copy) as community:
            step, errors = community._chronicler.step, [sqlite3.OperationalError("disk I/O error"), OSError("gone")]

            def stumbling() -> Chapter | None:
                if errors:
                    raise errors.pop()
                return step()

            stood: list[bool] = []
            community.on_standing = lambda: stood.append(community.broken is not None)
            monkeypatch.setattr(community._chronicler, "step", stumbling)
            order = bid(lived_copy.end_s + SLOT_SECONDS)
            done = await community.send(AccountId("member-01"), Kind.ORDER, order)
            assert done.outcome is Outcome.BOOKED and done.position is not None, "the log is followed again"
            assert stood == [True, False] and community.broken is None

    asyncio.run(story())
    assert [one.levelno for one in caplog.records] == [logging.ERROR, logging.WARNING]


def test_one_who_hears_and_fails_does_not_keep_others_from_hearing(
    lived_copy: LivedStreet, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            heard: list[Chapter] = []
            community.on_chapter(lambda chapter: 1 // 0)  # type: ignore[arg-type]
            community.on_chapter(heard.append)
            order = bid(lived_copy.end_s + SLOT_SECONDS)
            done = await community.send(AccountId("member-01"), Kind.ORDER, order)
            assert done.position is not None and heard and community.broken is None

    asyncio.run(story())
    assert "could not be told" in caplog.text and "ZeroDivisionError" in caplog.text


def test_nobody_is_signed_for_whose_key_is_not_kept_here(lived_copy: LivedStreet) -> None:
    (lived_copy.folder / "keys" / "member-01.pem").unlink()

    async def story() -> None:
        async with open_community(lived_copy) as community:
            assert not community.holds_key(AccountId("member-01"))
            with pytest.raises(Refused, match="its own wallet"):
                await community.send(AccountId("member-01"), Kind.ORDER, bid(lived_copy.end_s))

    asyncio.run(story())


def test_a_chronicle_in_memory_leaves_no_file(lived: LivedStreet) -> None:
    before = {path.name for path in lived.folder.iterdir()}
    followed(lived).close()
    after = {path.name for path in lived.folder.iterdir()}
    assert {name for name in after - before if not name.startswith("log.sqlite-")} == set()
    with Chronicle() as chronicle:
        assert chronicle.last_slot_s() is None


@pytest.mark.parametrize("steps", range(8))
def test_who_waits_for_the_log_is_cancelled_in_the_same_instant_in_which_it_tells(steps: int) -> None:
    async def story() -> None:
        grown, numbers = asyncio.Condition(), {"key": 1}
        keys = SimpleNamespace(next_seq=numbers.__getitem__)
        waiter: Any = SimpleNamespace(_grown=grown, state=SimpleNamespace(keys=keys))
        task = asyncio.ensure_future(Community._seen(waiter, {KeyId("key"): 1}))
        await asyncio.sleep(0.001)
        async with grown:
            numbers["key"] = 2
            grown.notify_all()
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(story())
