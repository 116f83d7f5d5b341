"""What the tests of settling share: a sunny slot, all accounts, and a wait that outlasts the grace."""

from community import Community, Flow

from commonwatt.model import SLOT_SECONDS, SYSTEM_ACCOUNTS

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
ACCOUNTS = ("anna", "ben", "cleo", *SYSTEM_ACCOUNTS)


def run_out_of_grace(community: Community) -> None:
    community.now_s += community.state.charter.grace_slots * SLOT_SECONDS
    community.pay("anna", 1, "something that wakes the log")
