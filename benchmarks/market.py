"""P6 and P7: orders in batches from signed bytes to trades, and call auctions alone."""

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.meters import FOUNDED_S, NAME, _limit, found, key, prices, signed
from benchmarks.submitting import submit, written
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.kernels.auctions import ASK, BID, call, pairs
from commonwatt.kernels.slot_orders import SELLS
from commonwatt.market.order_batch import ORDER_DTYPE
from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, Kind, Outcome

MEMBERS = int(os.environ.get("COMMONWATT_P6_MEMBERS", "20000"))
DAYS = int(os.environ.get("COMMONWATT_P6_DAYS", "4"))
FIRST_S = -(-FOUNDED_S // SLOT_SECONDS) * SLOT_SECONDS + SLOT_SECONDS
"""The first slot that is traded: some minutes after the founding, so that its gate is open."""


def order_batches(first: int, last: int, day: int) -> list[bytes]:
    """Return one batch of each of some members: orders for all slots of a day, every other member a seller."""
    wires = []
    chance = np.random.default_rng(day * 1_000_003 + first)
    for n in range(first, last):
        items = np.zeros(SLOTS_PER_DAY, ORDER_DTYPE)
        items["start_s"] = FIRST_S + SLOT_SECONDS * (day * SLOTS_PER_DAY + np.arange(SLOTS_PER_DAY))
        items["wh"] = chance.integers(1, 400, SLOTS_PER_DAY)
        items["limit"] = chance.integers(100_000, 300_000, SLOTS_PER_DAY)
        items["flags"] = SELLS * (n % 2)
        packed, name = items.tobytes(), f"member-{n}"
        # A member has claimed a connection with its first request.
        wires.append(signed(key(name), Kind.ORDER_BATCH, day + 2, name, bodies.orders_head(packed), packed))
    return wires


def pay_in(first: int, last: int, micro: int) -> list[bytes]:
    """Return purchases of ERGON for some members, by a payment key that has signed nothing else before."""
    return [
        signed(
            key("payment"),
            Kind.PURCHASE,
            n + 1,
            "payment",
            wallet_bodies.PurchaseBody(account=f"member-{n}", amount_micro=micro, reference=f"first-{n}"),
        )
        for n in range(first, last)
    ]


def payment_key(seq: int) -> bytes:
    """Return the registration of the payment key, the operator's next request."""
    body = bodies.RegisterKey(public=key("payment").public.hex(), alg="secp256k1", role="payment", account="payment")
    return signed(key("operator"), Kind.REGISTER, seq, "operator", body)


def set_up(sequencer: Sequencer, pool: ProcessPoolExecutor, members: int, days: int) -> None:
    """Bring everyone into the log, with prices told and money paid in."""
    found(sequencer, pool, members)
    operator = sequencer.state.keys.next_seq(key("operator").id)
    told = [*prices(SLOTS_PER_DAY, days + 1), payment_key(operator)]
    assert {*sequencer.submit(told, FOUNDED_S)} == {Outcome.BOOKED}
    submit(sequencer, ((wires, FOUNDED_S) for wires in written(pool, pay_in, members, 10**9)))


def p6(members: int = MEMBERS, days: int = DAYS) -> Figure:
    """Orders per second, 96 per signature: verified, taken in, matched at their gates and durable; replay compared.

    The limit is libsecp256k1 checking as many signatures on all cores, with nothing else done.
    """
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, ProcessPoolExecutor() as pool:
        log = SqliteLog(Path(folder) / "log.sqlite", MasterKey(bytes(32)))
        sequencer = Sequencer(log, NAME, lambda position: position.to_bytes(32))
        set_up(sequencer, pool, members, days)
        commits: list[tuple[list[bytes], int]] = []
        seq = sequencer.state.keys.next_seq(key("operator").id)
        for day in range(days):
            day_s = FIRST_S + SLOT_SECONDS * SLOTS_PER_DAY * day
            commits += [(some, day_s - 60) for some in written(pool, order_batches, members, day)]
            # A request of no matter after the day's last gate: what it comes upon is a market that has to be cleared.
            last_s = day_s + SLOT_SECONDS * SLOTS_PER_DAY - 60
            other = bodies.RegisterKey(
                public=key(f"x{day}").public.hex(), alg="secp256k1", role="agent", account=f"x{day}"
            )
            commits.append(([signed(key("operator"), Kind.REGISTER, seq + day, "operator", other)], last_s))
        cpu_s = process_time()
        spent_s, slowest_s = submit(sequencer, commits)
        cpu_s = process_time() - cpu_s
        root, market = sequencer.state.root(), sequencer.state.slot_market
        traded = sum(len(market.trades(slot_s)) for slot_s in market.slots())
        began = perf_counter()
        again = replay(log.rows(), NAME)
        assert again.state.root() == root, "a replay reaches the same state"
        replay_s = perf_counter() - began
        log.close()
    count = members * days * SLOTS_PER_DAY
    return figure(
        "P6", count / spent_s, "orders/s", _limit() * SLOTS_PER_DAY, orders=count, members=members, days=days,
        trades_at_hand=traded, seconds=round(spent_s, 2), cpu_seconds=round(cpu_s, 2),
        slowest_commit_s=round(slowest_s, 2), replay_of_all_s=round(replay_s, 1), goal="1,000,000/s",
        limit_is="libsecp256k1 on all cores, nothing else, times 96",
    )  # fmt: skip


def p7() -> Figure:
    """Seconds to clear 10^6 orders in 10^4 zones, prices and fills; and 10^7 (goals 0.06 and 1)."""
    found_s: dict[int, list[float]] = {}
    told: dict[str, object] = {}
    for count in (10**6, 10**7):
        chance = np.random.default_rng(7)
        group = chance.integers(0, 10**4, count).astype(np.int32)
        side = np.where(chance.integers(0, 2, count), ASK, BID).astype(np.uint8)
        limit = chance.integers(100_000, 300_000, count).astype(np.int32)
        wh = chance.integers(1, 2_000, count).astype(np.int32)
        call(group[:1_000], side[:1_000], limit[:1_000], wh[:1_000], 10**4)
        for _ in range(7):
            began = perf_counter()
            called = call(group, side, limit, wh, 10**4)
            found_s.setdefault(count, []).append(perf_counter() - began)
        assert called.filled_wh[side == BID].sum() == called.filled_wh[side == ASK].sum() == called.energy_wh.sum()
        began = perf_counter()
        made = pairs(called)
        told[f"pairs_{count:.0e}_s"] = round(perf_counter() - began, 3)
        assert int(made.energy_wh.sum()) == int(called.energy_wh.sum())
        began = perf_counter()
        np.argsort(limit, kind="stable")
        told[f"numpy_stable_argsort_{count:.0e}_s"] = round(perf_counter() - began, 3)
    return figure(
        "P7", median(found_s[10**6]), "s", 0.06, ten_million_s=round(median(found_s[10**7]), 3),
        least_s=[round(min(found_s[count]), 3) for count in found_s], zones=10**4, **told,
        goals="0.06 s; 1 s", limit_is="the goal",
    )  # fmt: skip
