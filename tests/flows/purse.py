"""The tiny community with TSL, top-ups and switched meters, and a pen for wallets."""

from typing import Any

from community import NAME, Community
from msgspec import Struct, structs

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.sequence import replay
from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.model import MICRO, SYSTEM_ACCOUNTS, AccountId, AssetKind, Commodity, Kind, Outcome
from commonwatt.tokens.tsl import TOTAL_MICRO

TSL_PER_KWH = 100 * MICRO
"""The right to store a kWh."""
TERMS: dict[str, Any] = {
    "tsl_micro_per_kwh": TSL_PER_KWH,
    "commission_micro_per_kwh": 4_321,
    "member_tsl_micro": 400 * MICRO,
    "education_tsl_micro": 25 * MICRO,
    "welcome_grant_micro": 10 * MICRO,
}


class Purse(Community):
    """A community whose founding says more."""

    def __init__(self, homes: int = 2, *, terms: dict[str, Any] | None = None, **more: Any) -> None:
        self.terms = TERMS if terms is None else terms
        super().__init__(homes, **more)

    def ask(self, who: str, kind: Kind, body: Struct, account: str | None = None) -> Outcome:
        if isinstance(body, bodies.RegisterCommunity):
            body = structs.replace(body, **self.terms)
        return super().ask(who, kind, body, account)

    def tsl(self, account: str) -> int:
        return self.state.tsl(AccountId(account))

    def give(self, who: str, target: str, commodity: Commodity, amount: int) -> Outcome:
        return self.ask(who, Kind.TRANSFER, wallets.Give(target=target, commodity=commodity, amount=amount))

    def reserve(self, who: str, target: str, commodity: Commodity, amount: int, **more: Any) -> tuple[str, Outcome]:
        """Reserve for a day; return the name by which it is posted, and the outcome."""
        name = str(len(self.sequencer.tree))
        more = {"until_s": self.now_s + 86_400} | more
        body = wallets.Reserve(target=target, commodity=commodity, amount=amount, **more)
        return name, self.ask(who, Kind.TRANSFER, body)

    def post(self, who: str, name: str, amount: int | None = None) -> Outcome:
        return self.ask(who, Kind.TRANSFER, wallets.Post(transfer=name, amount=amount))

    def void(self, who: str, name: str) -> Outcome:
        return self.ask(who, Kind.TRANSFER, wallets.Void(transfer=name))

    def tell(self, body: Struct) -> Outcome:
        """Let the payment key tell something of money."""
        kind = Kind.PAYOUT if isinstance(body, wallets.PayoutPaid | wallets.PayoutFailed) else Kind.PURCHASE
        return self.ask("payment", kind, body)

    def pay_out(self, member: str, amount_micro: int) -> tuple[str, Outcome]:
        name = str(len(self.sequencer.tree))
        return name, self.ask(member, Kind.PAYOUT, wallets.PayoutRequest(amount_micro=amount_micro))

    def check_books(self) -> None:
        """Hold what must be true of tokens in every state."""
        state = self.state
        assert all(state.accounts.total(commodity) == 0 for commodity in Commodity)
        assert state.accounts.balance(AccountId("mint"), Commodity.TSL) == -TOTAL_MICRO
        for account, commodity, balance in state.accounts.balances():
            if commodity is Commodity.TSL and account != "mint":
                assert balance > 0, account
                assert state.wallets.transfers.reserved(account, commodity) <= balance
            if commodity is Commodity.WATT and account not in SYSTEM_ACCOUNTS:
                assert 0 <= balance <= state.charter.b_max_wh
        held_wh = sum(state.watt(member) for member in state.members())
        recoverable_wh = sum(
            asset.recoverable_wh(self.levels_wh[asset.owner])
            for asset in state.assets.values()
            if asset.kind is AssetKind.BATTERY
        )
        assert held_wh == state.claims.total_wh <= recoverable_wh

    def check_rebuilt(self) -> None:
        """Hold that replay from zero, and a snapshot, lead to the same root."""
        root = self.state.root()
        assert replay(self.store.rows(), NAME).state.root() == root
        assert load(dump(self.state, self.now_s, bytes(HASH_BYTES)))[0].root() == root
