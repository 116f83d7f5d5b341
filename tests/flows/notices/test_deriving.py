"""What deserves telling, of books, calendar and trail."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from carriers import LONDON

from commonwatt.flows.gateway.letters import Called
from commonwatt.flows.notices import deriving
from commonwatt.flows.notices.records import Topic
from commonwatt.identity.signing_in import trail
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, Commodity, Entry, Memo, epoch

ANNA, BERT, PORT = AccountId("anna"), AccountId("bert"), AccountId("port")
MARCH_S = epoch(datetime(2026, 3, 31, 23, tzinfo=UTC))
"""When April begins in London, where clocks are an hour ahead by then."""


def entry(memo: Memo, source: AccountId, target: AccountId, amount: int, slot_s: int = 900) -> Entry:
    return Entry(
        commodity=Commodity.ERGON, source=source, target=target, amount=amount, memo=memo, slot_s=slot_s, ref="x"
    )


def test_money_that_came_in_is_told_by_each_entry_and_nothing_else_of_the_books() -> None:
    told = list(
        deriving.of_entries(
            [
                (7, entry(Memo.PURCHASE, PORT, ANNA, 5)),
                (8, entry(Memo.TRADE, ANNA, BERT, 5)),
                (9, entry(Memo.PURCHASE, PORT, ANNA, 5)),
            ]
        )
    )
    assert [(one.topic, one.account, one.key) for one in told] == [
        (Topic.MONEY_IN, ANNA, "7"),
        (Topic.MONEY_IN, ANNA, "9"),
    ]
    assert told[0].facts == {"amount_micro": 5, "entry": 7}


def test_what_was_agreed_and_not_kept_is_told_once_a_slot_to_who_pays_for_it() -> None:
    told = list(
        deriving.of_entries(
            [
                (1, entry(Memo.IMBALANCE, ANNA, PORT, 5)),
                (2, entry(Memo.IMBALANCE, ANNA, PORT, 7)),
                (3, entry(Memo.IMBALANCE, PORT, BERT, 9)),
                (4, entry(Memo.FLEXIBILITY_PENALTY, BERT, PORT, 11, slot_s=1_800)),
            ]
        )
    )
    assert [(one.account, one.facts) for one in told if one.account in (ANNA, BERT)] == [
        (ANNA, {"slot_s": 900, "owed_micro": 12}),
        (BERT, {"slot_s": 1_800, "owed_micro": 11}),
    ]


@pytest.mark.parametrize(
    ("settled_s", "begun_s", "months"),
    [
        (MARCH_S - 1, MARCH_S - 86_400, []),
        (MARCH_S, MARCH_S - 86_400, ["2026-03"]),
        (MARCH_S + 40 * 86_400, MARCH_S - 86_400, ["2026-04", "2026-03"]),
        (MARCH_S + 40 * 86_400, MARCH_S + 1, ["2026-04"]),
        (MARCH_S + 400 * 86_400, 0, ["2027-04", "2027-03"]),
    ],
)
def test_a_bill_is_told_once_its_month_is_settled_by_the_communitys_clock(
    settled_s: int, begun_s: int, months: list[str]
) -> None:
    told = list(deriving.of_months(ANNA, settled_s, begun_s, LONDON))
    assert [one.facts["month"] for one in told] == months
    in_utc = list(deriving.of_months(ANNA, MARCH_S, MARCH_S - 86_400, ZoneInfo("UTC")))
    assert in_utc == [], "in March still"


def test_a_demand_that_is_called_again_otherwise_is_another_one() -> None:
    first, again, other = (Called(id="d", start_s=0, end_s=end_s) for end_s in (900, 900, 1_800))
    keys = [one.key for one in deriving.of_demands([first, again, other])]
    assert keys[0] == keys[1] != keys[2]
    assert next(iter(deriving.of_demands([first]))).until_s == 900


def test_of_the_trail_is_told_what_concerns_somebodys_access_and_not_that_they_left() -> None:
    def of(what: Happened) -> deriving.Happening | None:
        details = {"way": "passkey", "device": "phone", "address": "192.0.2.1", "session": "secret"}
        return deriving.of_event(trail.next_event(None, 5, what, trail.tell(details)[1]), details)

    told = {what: one.topic for what in Happened if (one := of(what)) is not None}
    assert told[Happened.SIGNED_IN] is Topic.SIGNED_IN and told[Happened.RECOVERY_BEGUN] is Topic.RECOVERY
    assert told[Happened.TOKEN_MADE] is told[Happened.CHANNEL_ADDED] is Topic.ACCESS
    assert not {Happened.SIGNED_OUT, Happened.FAILED, Happened.INVITED} & told.keys()
    one = of(Happened.SIGNED_IN)
    assert one is not None and "session" not in one.facts and one.facts["device"] == "phone"
    assert deriving.of_event(trail.next_event(None, 5, Happened.SIGNED_IN, ""), None) is None, "erased"
