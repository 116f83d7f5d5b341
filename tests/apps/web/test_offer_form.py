"""The form for offers: what was typed becomes a body that the log takes, or a sentence says what was not understood."""

from dataclasses import fields
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.views.offering import completed
from commonwatt.apps.web.pages.offering import _CHOICES, _Draft, offer_of
from commonwatt.flows.rulebook.bodies import read_body
from commonwatt.flows.rulebook.market.contracts.contract_bodies import MakeOffer
from commonwatt.model import AccountId, InvalidValue, Kind

LONDON = ZoneInfo("Europe/London")
UTILITY = AccountId("utility")
NOW_S = 1_542_214_800


def test_a_repeating_window_is_told_by_the_clock_on_the_wall() -> None:
    told = offer_of(_Draft(price="0,15", power="2.5", trigger="price_above", level="0.30"), UTILITY, NOW_S, LONDON)
    assert told["windows"] == [
        {
            "direction": "give_back",
            "price_micro_per_kwh": 150_000,
            "days": "working",
            "from_minute": 1020,
            "to_minute": 1140,
        }
    ]
    assert (told["power_w"], told["most_windows"], told["most_micro_per_kwh"]) == (2_500, 20, 150_000)
    assert told["trigger"] == {"kind": "price_above", "level": 300_000}
    assert (told["accept_by_s"], told["until_s"]) == (NOW_S + 7 * 86_400, NOW_S + 30 * 86_400)


@pytest.mark.parametrize(("day", "start_s"), [("2018-07-02", 1_530_547_200), ("2018-12-03", 1_543_856_400)])
def test_a_single_window_is_told_in_instants_in_summer_and_winter(day: str, start_s: int) -> None:
    told = offer_of(_Draft(price="1", days="once", day=day), UTILITY, NOW_S, LONDON)
    (window,) = told["windows"]
    assert (window["start_s"], window["end_s"]) == (start_s, start_s + 7_200)
    assert (told["until_s"], told["accept_by_s"], told["most_windows"]) == (start_s + 7_200, start_s - 1, 1)


_TYPED = st.text(max_size=32) | st.sampled_from(["", "0", "1", "0.15", "12,5", "17:00", "24:00", "-3", "1e9"])
_CHOSEN = {name: st.sampled_from(list(options)) for name, (_, options) in _CHOICES.items()}
_DRAFTS = st.builds(
    _Draft,
    **{one.name: _CHOSEN.get(one.name, _TYPED) for one in fields(_Draft) if one.name != "day"},
    day=_TYPED | st.dates(date(2000, 1, 1), date(2090, 1, 1)).map(str),
)


@given(_DRAFTS)
def test_whatever_is_typed_is_an_offer_or_is_said_to_be_none(draft: _Draft) -> None:
    try:
        told = completed(offer_of(draft, UTILITY, NOW_S, LONDON))
    except InvalidValue as error:
        assert str(error)
        return
    assert isinstance(read_body(Kind.CONTRACT, told), MakeOffer)
