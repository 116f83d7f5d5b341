"""Bonds of sealed orders: reserved with the seal, free once it has kept its word, forfeited to the network else."""

from commonwatt.flows.rulebook.market.seals import Seal
from commonwatt.flows.rulebook.state import State
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.model import MAX_SAFE_INTEGER, NETWORK, SLOT_SECONDS, Commodity, Memo


def hold(state: State, seal: Seal) -> None:
    """Keep a seal, and reserve its bond."""
    state.seals.add(seal)
    if seal.bond_micro:
        bond = Transfer(
            id=seal.bond,
            commodity=Commodity.ERGON,
            source=seal.owner,
            target=NETWORK,
            amount=seal.bond_micro,
            until_s=FOR_EVER_S,
        )
        state.wallets.reserve(bond)


def free(state: State, seal: Seal) -> None:
    """Let go of a seal; its bond is its owner's again."""
    state.seals.remove(seal)
    state.wallets.release(seal.bond)


def forfeit(state: State, seal: Seal) -> None:
    """Let go of a seal; its bond goes to the network."""
    free(state, seal)
    if state.ergon(NETWORK) + seal.bond_micro <= MAX_SAFE_INTEGER:
        state.move(
            Commodity.ERGON,
            seal.owner,
            NETWORK,
            seal.bond_micro,
            slot_s=state.wallets.now_s // SLOT_SECONDS * SLOT_SECONDS,
            memo=Memo.SEAL_LAPSED,
            ref=str(seal.position),
        )


def filled(state: State, order: str) -> None:
    """Free the bond of an order of which nothing is left to trade, if it was sealed."""
    seal = state.seals.at(order)
    if seal is not None and seal.told:
        free(state, seal)


def left(state: State, order: str) -> None:
    """Take the bond of an order that wants less than it told, or has gone unfilled, before its seal's time is over."""
    seal = state.seals.at(order)
    if seal is not None and seal.told:
        forfeit(state, seal)
