import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.views.wallet import NAMES
from commonwatt.apps.web.pages.labels import LABELS
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.model import InvalidValue
from commonwatt.settlement.bill import labels


@given(st.integers(1, 10**12), st.sampled_from([",", "."]))
def test_what_somebody_typed_is_read_to_the_last_digit(amount: int, point: str) -> None:
    assert amount_of(f" {amount // 1000}{point}{amount % 1000:03d} ", 3) == amount


@pytest.mark.parametrize("typed", ["", "0", "0.00", "-1", "1e3", "1.2345", "1,000.5", "٣", "1_000", "nan", None])
def test_what_is_no_amount_is_refused(typed: object) -> None:
    with pytest.raises(InvalidValue, match="amount is"):
        amount_of(typed, 3)


def test_a_field_has_its_name_and_what_was_typed_is_no_markup() -> None:
    field = text_field("to", "To", '"><script>', suggested=["member-01"])
    assert "<script>" not in field and 'for="field-to"' in field and 'list="list-to"' in field


def test_everything_that_entries_are_called_is_marked_for_translation() -> None:
    assert set(LABELS) == {*labels(), *NAMES.values()}
