"""What a charger was told at most follows its owner's word: nothing is told after an off, or before a yes."""

from typing import Any

import msgspec
import numpy as np
import pytest

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.parking import told_w
from commonwatt.flows.chronicle import Chapter, Told
from commonwatt.flows.rulebook import bodies
from commonwatt.forecasting.health import over_limits
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    CommunityId,
    ConsentMode,
    GatewayId,
    KeyId,
    Kind,
    Outcome,
    Request,
    Verb,
)

pytestmark = pytest.mark.row("W11")
ANNA, CAR = AccountId("anna"), AssetId("car")
DAY_S = 1_789_948_800
ASSET = Asset(
    id=CAR, owner=ANNA, gateway=GatewayId("gateway"), kind=AssetKind.VEHICLE, zone="z", max_import_w=7_400,
    max_export_w=0, min_import_w=1_380, capacity_wh=50_000, charge_permille=950, discharge_permille=950,
)  # fmt: skip
SLOTS = DAY_S + SLOT_SECONDS * np.arange(96, dtype=np.int64).reshape(1, 96)
Word = tuple[int, Kind, Any, Outcome]


def _plan(slot: int, power_w: int = 1_400, until: int = 96, outcome: Outcome = Outcome.BOOKED) -> Word:
    start_s, end_s = (DAY_S + at * SLOT_SECONDS for at in (slot, until))
    item = bodies.InstructionItem(
        verb=Verb.START_CHARGE, start_s=start_s, end_s=end_s, power_w=power_w, expected_wh=1_000, reason="cheap"
    )
    return slot, Kind.SCHEDULE, bodies.ScheduleBody(asset=CAR, issued_s=start_s, instructions=[item]), outcome


def _say(slot: int, mode: ConsentMode, asset: str | None = None) -> Word:
    return slot, Kind.CONSENT, bodies.ConsentBody(mode=mode, asset=asset), Outcome.BOOKED


def _decide(slot: int, issued: int, *, accept: bool) -> Word:
    issued_s = DAY_S + issued * SLOT_SECONDS
    return slot, Kind.CONSENT, bodies.DecisionBody(asset=CAR, issued_s=issued_s, accept=accept), Outcome.BOOKED


def _told(*words: Word) -> list[int]:
    """Return in which slots of the day the car was told something, after such words in the log."""
    chapter = Chapter(size=len(words), now_s=DAY_S)
    for at, (slot, kind, body, outcome) in enumerate(words):
        request = Request(
            community=CommunityId("street"), kind=kind, author=KeyId("0x" + "11" * 20), seq=at + 1,
            on_behalf_of=ANNA, body=msgspec.to_builtins(body), signature="0x" + "22" * 64,
        )  # fmt: skip
        asset = request.body.get("asset")
        chapter.leaves.append(
            Told(
                position=at,
                stamped_s=DAY_S + slot * SLOT_SECONDS + 30,
                kind=kind,
                account=ANNA,
                author=request.author,
                seq=at + 1,
                outcome=outcome,
                asset=None if asset is None else CAR,
                body=request.head_bytes(),
            )
        )
    with Chronicle() as chronicle:
        chronicle.add(chapter)
        found = told_w(chronicle, ASSET, SLOTS).ravel()
    return np.flatnonzero(~np.isnan(found)).tolist()


def test_a_schedule_is_told_in_its_own_slot_whatever_it_says_of_later_ones() -> None:
    assert _told(_plan(72), _plan(73), _plan(74)) == [72, 73, 74], "a planner that stopped tells nothing more"
    assert _told(_plan(72, outcome=Outcome.NOT_ALLOWED)) == []


def test_an_owner_who_says_off_and_charges_by_hand_is_not_told_that_their_charger_ignores_limits() -> None:
    words = [_plan(slot) for slot in range(70, 76)]
    assert _told(*words, _say(75, ConsentMode.OFF)) == [70, 71, 72, 73, 74]
    assert _told(*words, _say(75, ConsentMode.OFF, CAR)) == [70, 71, 72, 73, 74]
    assert _told(*words, _say(75, ConsentMode.OFF, "battery")) == [70, 71, 72, 73, 74, 75], "of another asset"
    drawn, most = np.zeros(96), np.full(96, np.nan)
    drawn[75:84] = 7_000 / 4
    most[_told(*words, _say(75, ConsentMode.OFF))] = 1_400
    assert over_limits(drawn, most) == []


def test_a_schedule_that_was_put_to_its_owner_is_told_from_their_yes_on_to_its_end_or_their_next_word() -> None:
    ask, put = _say(60, ConsentMode.ASK), _plan(70, until=80, outcome=Outcome.WAITING)
    assert _told(ask, put) == []
    assert _told(ask, put, _decide(71, 70, accept=False)) == []
    assert _told(ask, put, _decide(71, 70, accept=True)) == list(range(72, 80))
    assert _told(ask, put, _decide(71, 69, accept=True)) == [], "another's yes"
    assert _told(ask, put, _decide(71, 70, accept=True), _say(75, ConsentMode.OFF)) == [72, 73, 74]
    assert _told(ask, put, _say(71, ConsentMode.ASK), _decide(72, 70, accept=True)) == [], "it ended with the word"
