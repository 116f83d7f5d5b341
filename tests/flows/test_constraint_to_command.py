"""What a plan looks at becomes constraints that hold, whatever was heard of the stores."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from commonwatt.flows.constraint_to_command import Outlook, plan_ahead
from commonwatt.model import SLOT_SECONDS, AssetId, epoch

NOW = datetime(2018, 11, 14, 17, tzinfo=UTC)
DAY = 96


def test_a_day_is_planned_though_no_store_that_was_to_be_handed_over_was_heard_of() -> None:
    bare = Outlook(
        now=NOW,
        zone="street",
        load_wh={AssetId("meter"): (200,) * DAY},
        solar_wh={},
        stored=(),
        prices={epoch(NOW) + at * SLOT_SECONDS: (100_000, 50_000) for at in range(DAY)},
        constraints=(),
        wear_micro_per_kwh={},
        reserve_wh=0,
    )
    plan, problem = plan_ahead(replace(bare, end=(NOW + timedelta(days=1), 4_000)))
    assert problem.constraints == () and plan == plan_ahead(bare)[0]
