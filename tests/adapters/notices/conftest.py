"""A letter and channels for the tests of the ways by which notices leave."""

import pytest

from commonwatt.flows.notices.ports import Letter
from commonwatt.flows.notices.records import Topic
from commonwatt.model import AccountId


@pytest.fixture
def letter() -> Letter:
    return Letter(
        id="0123456789abcdef-1",
        topic=Topic.DECIDE,
        community="sun street",
        account=AccountId("member-05"),
        at_s=1_790_000_000,
        title="A plan waits for your word",
        text="A plan for battery-05 waits for your yes or no until Thu 23 Apr, 17:30. No answer is a no.",
        href="https://sun.example/schedule",
        facts={"asset": "battery-05", "deadline_s": 1_790_003_600},
    )
