"""A state that somebody hands over is what its root says, in every part that decides: nothing can be slipped in."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from community import NOON, Flow
from purse import TERMS, Purse

from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.metering.batch import Flag
from commonwatt.model import OFF, AccountId, AssetId, Commodity, Corrupt, GatewayId, Side

HONEST_ROOT: list[bytes] = []


def lived() -> State:
    """Return the state of a town in which a little of everything has happened."""
    town = Purse(2, terms={**TERMS, "low_micro": 1_000_000, "clear_micro": 2_000_000, "meter_grace_s": 900})
    town.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    town.live(anna=Flow(load_wh=300), ben=Flow(load_wh=900))
    town.report("gw-anna", NOON, {"anna-home": (5, 0)})
    town.report("gw-anna", NOON, {"anna-battery": (900, 0, 800)}, flags=Flag.CORRECTS)
    town.state_that("anna", "charge of anna-battery >= 10% at 18:30 on 1 June 2026")
    town.order("ben", Side.BID, 10, 1)
    town.reserve("ben", "anna", Commodity.ERGON, 100)
    return town.state


BENT: dict[str, Callable[[State], object]] = {
    "connections": lambda s: s.connections.update({AccountId("anna"): AssetId("ben-home")}),
    "registers": lambda s: s.gateways[GatewayId("gw-ben")].assets.reverse(),
    "a gateway's key": lambda s: setattr(s.gateways[GatewayId("gw-ben")], "key", s.operator),
    "given": lambda s: s.given.update({NOON: (1, 1)}),
    "losses": lambda s: s.losses_wh.update({NOON: 99}),
    "minted": lambda s: s.claims.minted.set(AssetId("anna-battery"), NOON, 1),
    "lost": lambda s: s.claims.lost.set(AssetId("anna-battery"), NOON, 1),
    "a doubt's slot": lambda s: s.set_aside.__setitem__(0, replace(s.set_aside[0], slot_s=NOON + 900)),
    "a statement's value": lambda s: s.stated.__setitem__(
        0, replace(s.stated[0], once=replace(s.stated[0].constraint, value=99))
    ),
    "when a notice is due": lambda s: setattr(s.wallets, "low", (1, 2, s.wallets.low[2])),  # type: ignore[index]
    "when a meter is switched": lambda s: setattr(s.wallets, "switch", (1, 2, s.wallets.switch[2])),  # type: ignore[index]
    "an asset's owner": lambda s: s.assets.update(
        {AssetId("ben-home"): replace(s.assets[AssetId("ben-home")], owner=AccountId("anna"))}
    ),
    "a price": lambda s: s.prices.update({NOON: (1, 1)}),
    "settled to": lambda s: setattr(s, "settled_to_s", s.settled_to_s + 900),
    "a consent": lambda s: s.consents.update({AssetId("anna-battery"): OFF}),
    "the meters' order": lambda s: s.readings.meters.reverse(),
}


@pytest.mark.row("E14")
@pytest.mark.parametrize("what", BENT)
def test_whatever_is_bent_leads_to_another_root_or_is_not_taken(what: str) -> None:
    state = lived()
    honest = state.root()
    again, _ = load(dump(state, 0, b""))
    assert again.root() == honest
    assert (again.connections, again.gateways) == (state.connections, state.gateways)
    BENT[what](state)
    state.registry_version += 1
    content = dump(state, 0, b"")
    try:
        taken, _ = load(content)
    except Corrupt:
        return
    # What follows from the rest is made anew from it, whatever a snapshot tells.
    bound = taken.root() != honest
    made_anew = (taken.connections, taken.gateways) == (again.connections, again.gateways)
    assert bound or (made_anew and what in {"connections", "registers", "a gateway's key"})
