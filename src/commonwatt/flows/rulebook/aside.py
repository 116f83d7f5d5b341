"""Rules for what contracts set aside: nobody owes what they cannot pay, and what is set aside backs nothing else."""

from commonwatt.flows.rulebook.state import State
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.market.contracts.standing import Acceptance, Contract
from commonwatt.model import AccountId, Commodity


def hold_contract(state: State, contract: Contract, now_s: int) -> None:
    """Set aside the most that a contract's utility can come to owe from here on, and let go of the rest."""
    name = AccountId(_contract(contract))
    _hold(state, name, contract.terms.utility, name, contract.utility_owes_most(now_s))


def hold_promise(state: State, contract: Contract, acceptance: Acceptance) -> None:
    """Likewise for a member and one promise."""
    most_micro = contract.member_owes_most(acceptance)
    _hold(state, _promise(acceptance), acceptance.account, contract.terms.utility, most_micro)


def release_contract(state: State, contract: Contract) -> None:
    """Let go of what a utility has set aside for a contract that is done."""
    state.wallets.release(_contract(contract))


def release_promise(state: State, acceptance: Acceptance) -> None:
    """Let go of what a member has set aside for a promise that is over."""
    state.wallets.release(_promise(acceptance))


def _hold(state: State, name: str, source: AccountId, target: AccountId, micro: int) -> None:
    held = state.wallets.transfers.pending(name)
    if (held.amount if held else 0) == micro:
        return
    state.wallets.release(name)
    if micro:
        state.wallets.reserve(
            Transfer(id=name, commodity=Commodity.ERGON, source=source, target=target, amount=micro, until_s=FOR_EVER_S)
        )


def _contract(contract: Contract) -> str:
    """Return a name that no request and no account can spell: what is held is for members who may still accept."""
    return f"contract {contract.id}"


def _promise(acceptance: Acceptance) -> str:
    return f"promise {acceptance.id}"
