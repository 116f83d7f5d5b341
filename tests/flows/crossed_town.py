"""The tiny community with TSL and a chain: its desk tells what the Vault took in."""

from typing import Any

from purse import Purse

from commonwatt.flows.rulebook.tokens.crossing_bodies import Deposited, SendOut
from commonwatt.model import AccountId, Commodity, Kind, Outcome, chain_account

ADDRESS = "0x" + 38 * "0" + "a1"
OTHER = "0x" + 38 * "0" + "b2"


class CrossedTown(Purse):
    """A purse community whose crossing desk is registered."""

    def __init__(self, homes: int = 2, **more: Any) -> None:
        super().__init__(homes, **more)
        assert self.register_key("chain", "chain", "chain") is Outcome.BOOKED

    def send_out(self, who: str, commodity: Commodity, amount: int, address: str = ADDRESS) -> Outcome:
        return self.ask(who, Kind.TRANSFER, SendOut(commodity=commodity, amount=amount, address=address))

    def deposited(self, account: str, commodity: Commodity, amount: int, **more: Any) -> Outcome:
        return self.ask("chain", Kind.TRANSFER, self.deposit(account, commodity, amount, **more))

    def deposit(self, account: str, commodity: Commodity, amount: int, **more: Any) -> Deposited:
        number = more.get("number", self.state.crossed.count)
        told = {"number": number, "tx": f"{number:064x}", "block": 7, "sender": OTHER} | more
        return Deposited(account=account, commodity=commodity, amount=amount, **told)

    def out(self, commodity: Commodity, address: str = ADDRESS) -> int:
        """Return what stands on an address's account."""
        return self.state.accounts.balance(chain_account(address), commodity)

    def balance(self, account: str, commodity: Commodity) -> int:
        return self.state.accounts.balance(AccountId(account), commodity)
