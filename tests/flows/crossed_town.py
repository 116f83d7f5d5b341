"""The tiny community with TSL and a chain: its desk tells what the Vault took in."""

from typing import Any

from purse import Purse

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.tokens.crossing_bodies import Deposited, ExitTo, SendOut
from commonwatt.model import AccountId, Commodity, Kind, Outcome, chain_account

ADDRESS = "0x" + 38 * "0" + "a1"
OTHER = "0x" + 38 * "0" + "b2"
VAULT, CHAIN_ID = "0x" + 38 * "0" + "c3", 2_002_875_508


class CrossedTown(Purse):
    """A purse community whose crossing desk is registered, with a Vault that nobody looks at here."""

    def __init__(self, homes: int = 2, vault: str = VAULT, **more: Any) -> None:
        super().__init__(homes, **more)
        assert self.register_desk("chain", vault=vault) is Outcome.BOOKED

    def register_desk(self, name: str, role: str = "chain", account: str = "chain", **named: Any) -> Outcome:
        told = {"chain_id": CHAIN_ID, "vault": VAULT} | named
        body = bodies.RegisterKey(
            public=self.key(name).public.hex(), alg="secp256k1", role=role, account=account, **told
        )
        return self.ask("operator", Kind.REGISTER, body)

    def exit_to(self, who: str, address: str) -> Outcome:
        return self.ask(who, Kind.TRANSFER, ExitTo(address=address))

    def exits(self) -> dict[str, str]:
        """Return what stands behind each name among the exits, as hex."""
        rows = (row.tobytes() for row in self.state.exit_rows())
        return {row[:64].rstrip(b"\0").decode(): row[64:].hex() for row in rows}

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
