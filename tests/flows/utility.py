"""A utility that buys flexibility from a tiny community, and homes whose meters tell whole days at once."""

from collections.abc import Callable
from dataclasses import replace

from community import EXPORT, IMPORT, NOON, Community, Noted, key

from commonwatt.flows.rulebook import contract_bodies as bodies
from commonwatt.flows.rulebook import snapshot
from commonwatt.ledger.journal import Journal
from commonwatt.market.contracts.standing import Contract, Part
from commonwatt.market.contracts.terms import Direction
from commonwatt.metering.batch import Flag, Item, encode_items
from commonwatt.model import MICRO, SLOT_SECONDS, Commodity, Kind, Outcome

DAY = 86_400
HOUR = 3_600
MIDNIGHT = NOON - 13 * HOUR + DAY
"""Of the first whole day by the clock on the wall: Tuesday, 2 June, an hour ahead of UTC."""
ORACLES = ("oracle-1", "oracle-2", "oracle-3")
PURSE = 1_000 * MICRO
USUAL_WH = 400
"""What a home draws in a slot."""

Load = Callable[[int], int | None]
"""What a home draws in a slot, by its start, Wh; below zero for what it supplies, None for a silent meter."""


def with_utility(homes: int = 1, *, days: int = 6, journal: Journal | None = None) -> Community:
    """Return a community with a utility, three more oracles and an inspector, whose homes agree to be moved."""
    notes = journal or Noted()
    community = Community(homes, correction_slots=288, priced_slots=0, prepaid_micro=PURSE, journal=notes)
    done = [
        community.register_key("utility", "utility", "utility"),
        community.register_key("inspector", "inspector", "inspector"),
        *(community.register_key(oracle, "oracle", oracle) for oracle in ORACLES),
        community.pay("utility", PURSE, "first utility"),
        *(community.agree(member, f"{member}-home") for member in community.members),
    ]
    for day in range(days):
        done.append(community.tell_prices(NOON + day * DAY, [(IMPORT, EXPORT)] * 96))
    assert set(done) == {Outcome.BOOKED}
    return community


def at(day: int, hour: int, minute: int = 0) -> int:
    """Return a moment by the clock on the wall, days after the first whole one."""
    return MIDNIGHT + day * DAY + hour * HOUR + minute * 60


def once(direction: Direction, start_s: int, end_s: int) -> bodies.OnceItem:
    return bodies.OnceItem(direction=direction, start_s=start_s, end_s=end_s)


def offer(*windows: bodies.OnceItem | bodies.HoursItem, **terms: object) -> bodies.Offer:
    """Return an offer that pays for what is given back, and forgives nothing, where no terms say otherwise."""
    given: dict[str, object] = {
        "begins_s": NOON,
        "ends_s": NOON,
        "accept_by_s": NOON + HOUR,
        "most_w": 100_000,
        "buy_back_micro_per_kwh": 400_000,
        "sale_micro_per_kwh": 50_000,
        "cap_micro_per_kwh": 500_000,
        "penalty_micro_per_kwh": 100_000,
        "adjust_permille": 0,
        "dispute_s": DAY,
        "arbiter": key("inspector").id,
    }
    return bodies.Offer(windows=windows, **{**given, **terms})  # type: ignore[arg-type]  # passed on as it is


def ask(community: Community, who: str, body: object, account: str | None = None) -> Outcome:
    return community.ask(who, Kind.CONTRACT, body, account=account)


def stands(community: Community) -> str:
    """Return the name of what was asked for last: its place in the log."""
    return str(community.roots().leaves - 1)


def offered(community: Community, body: bodies.Offer, by: str = "utility") -> str:
    assert ask(community, by, body) is Outcome.BOOKED
    return stands(community)


def guarantee(contract: str, asset: str, **more: object) -> bodies.Guarantee:
    given: dict[str, object] = {"start_s": NOON, "end_s": NOON + 400 * DAY, "direct": True}
    return bodies.Guarantee(contract=contract, asset=asset, **{**given, **more})  # type: ignore[arg-type]  # likewise


def accepted(community: Community, contract: str, member: str = "anna", *, up_w: int = 0, down_w: int = 0) -> str:
    """Let a home answer what it can guarantee, and accept as much."""
    asset = f"{member}-home"
    answer = guarantee(contract, asset, up_w=up_w, down_w=down_w)
    assert ask(community, member, answer) is Outcome.BOOKED
    promise = bodies.Accept(contract=contract, asset=asset, up_w=up_w, down_w=down_w)
    assert ask(community, member, promise) is Outcome.BOOKED
    return stands(community)


def live_until(community: Community, to_s: int, **loads: Load) -> None:
    """Let time pass, and at its end let every home's meter tell what each slot saw: the usual, or as it is said."""
    starts = range(community.slot_s, to_s // SLOT_SECONDS * SLOT_SECONDS, SLOT_SECONDS)
    community.now_s = to_s
    wires = [
        wire
        for member in community.members
        if (wire := told(community, member, starts, loads.get(member, usual))) is not None
    ]
    if not wires:
        wires = [community.wire("utility", Kind.CONTRACT, bodies.Withdraw(contract="0"))]
    community.sequencer.submit(wires, community.now_s)


def told(community: Community, member: str, starts: range, load: Load, flags: Flag = Flag.NONE) -> bytes | None:
    items = []
    for slot_s in starts:
        wh = load(slot_s)
        if wh is not None:
            flow = {"import_wh": max(0, wh), "export_wh": max(0, -wh)}
            items.append(Item(start_s=slot_s, register=0, flags=flags, **flow))
    return community.batch(f"gw-{member}", encode_items(items)) if items else None


def usual(slot_s: int) -> int:
    return USUAL_WH


def within(from_s: int, to_s: int, wh: int | None) -> Load:
    """Return the usual, but for a stretch of time."""
    return lambda slot_s: wh if from_s <= slot_s < to_s else USUAL_WH


def pass_time(community: Community, to_s: int) -> None:
    """Let time pass without a word from any meter."""
    community.now_s = to_s
    assert ask(community, "utility", bodies.Withdraw(contract="0")) is Outcome.UNKNOWN_THING


def contract_of(community: Community, name: str) -> Contract:
    return community.state.contracts.standing[name]


def part_of(community: Community, name: str, number: int = 0) -> Part:
    """Return the only member's part in a window of a contract."""
    (part,) = contract_of(community, name).calls[number].parts.values()
    return part


def entries(community: Community, memo: str) -> list[tuple[str, str, int]]:
    """Return source, target and amount of the entries with a memo, as they were booked."""
    journal = community.state.journal
    assert isinstance(journal, Noted)
    return [(entry.source, entry.target, entry.amount) for entry in journal.noted if entry.memo == memo]


def put_down(community: Community) -> bytes:
    """Return the state as a snapshot has it; its journal takes notes beside."""
    plain = replace(community.state, journal=Journal.load(*community.state.journal.dump()))
    return snapshot.dump(plain, community.now_s, community.sequencer.tree.root())


def reserved(community: Community, account: str) -> int:
    return community.state.wallets.transfers.reserved(account, Commodity.ERGON)  # type: ignore[arg-type]  # a name
