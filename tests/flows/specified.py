"""What an engineer and an inspector sign about anna's battery, and a schedule to try on it."""

from community import NOON, Community, instruction
from professionals import BATTERY, attest, inspected, limits, words

from commonwatt.model import Outcome


def specify(community: Community, since_s: int = NOON - 10, **told: int) -> str:
    credential = words("engineer", limits(**told), since_s)
    assert attest(community, credential, "engineer") is Outcome.BOOKED
    return credential


def inspect(community: Community, result: str, since_s: int = NOON - 10) -> str:
    credential = words("inspector", inspected(result), since_s)  # type: ignore[arg-type]  # pass or fail
    assert attest(community, credential, "inspector") is Outcome.BOOKED
    return credential


def plan(community: Community, power_w: int = 1000) -> Outcome:
    return community.schedule(BATTERY, instruction(power_w))
