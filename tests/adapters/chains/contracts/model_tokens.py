"""ERGON, WATT and TSL in plain Python."""

from typing import Any

from contract_words import NOBODY
from model_roles import Governed
from model_world import Modelled, World, insist, signer_of

ENDLESS = 2**256 - 1
MOST = 2**63 - 1
TSL_MICRO = 10**15


class Token(Modelled):
    """Balances, allowances and permits."""

    def __init__(self, world: World, name: str, *args: Any) -> None:
        super().__init__(world, name, *args)
        self.balances: dict[bytes, int] = {}
        self.allowed: dict[tuple[bytes, bytes], int] = {}
        self.nonces: dict[bytes, int] = {}

    def transfer(self, sender: bytes, to: bytes, amount: int) -> bool:
        self._move(sender, to, amount)
        return True

    def transferFrom(self, sender: bytes, owner: bytes, to: bytes, amount: int) -> bool:  # noqa: N802  ERC-20's name
        allowed = self.allowed.get((owner, sender), 0)
        if allowed != ENDLESS:
            insist(amount <= allowed, "token: more than is allowed")
            self.allowed[owner, sender] = allowed - amount
        self._move(owner, to, amount)
        return True

    def approve(self, sender: bytes, spender: bytes, amount: int) -> bool:
        self._allow(sender, spender, amount)
        return True

    def permit(
        self, sender: bytes, owner: bytes, spender: bytes, amount: int, deadline: int, v: int, r: bytes, s: bytes
    ) -> None:
        insist(self.world.now_s <= deadline, "permit: expired")
        nonce = self.nonces.get(owner, 0)
        by = signer_of(self.digest("Permit", owner, spender, amount, nonce, deadline), v, r, s)
        insist(by == owner, "permit: not the owner's signature")
        self.nonces[owner] = nonce + 1
        self._allow(owner, spender, amount)

    def _move(self, owner: bytes, to: bytes, amount: int) -> None:
        insist(to not in {NOBODY, self.place}, "token: nobody's address")
        self._take(owner, amount)
        self.balances[to] = self.balances.get(to, 0) + amount
        self.log("Transfer", owner, to, amount)

    def _mint(self, to: bytes, amount: int) -> None:
        insist(to not in {NOBODY, self.place}, "token: nobody's address")
        insist(sum(self.balances.values()) + amount <= MOST, "token: more than can be counted")
        self.balances[to] = self.balances.get(to, 0) + amount
        self.log("Transfer", NOBODY, to, amount)

    def _burn(self, owner: bytes, amount: int) -> None:
        self._take(owner, amount)
        self.log("Transfer", owner, NOBODY, amount)

    def _take(self, owner: bytes, amount: int) -> None:
        insist(amount <= self.balances.get(owner, 0), "token: more than is held")
        self.balances[owner] = self.balances.get(owner, 0) - amount

    def _allow(self, owner: bytes, spender: bytes, amount: int) -> None:
        insist(spender != NOBODY, "token: nobody's address")
        self.allowed[owner, spender] = amount
        self.log("Approval", owner, spender, amount)


class Tsl(Token):
    """All there is, from the start."""

    def __init__(self, world: World, name: str, treasury: bytes) -> None:
        super().__init__(world, name)
        self._mint(treasury, TSL_MICRO)


class Ergon(Governed, Token):
    """Minted by sellers, burnt by who redeems it. What a final state of the ledger lets mint is no part of this."""

    def __init__(self, world: World, name: str, vault: bytes, period_s: int) -> None:
        super().__init__(world, name)
        self.vault, self.period_s = vault, period_s
        self.sellers: dict[bytes, tuple[int, int, int]] = {}
        """Ceiling, the last period in which somebody minted, and how much that was."""
        self.sold = 0

    def set_seller(self, sender: bytes, seller: bytes, ceiling: int) -> None:
        self.only_timelock(sender)
        self.sellers[seller] = (ceiling, *self.sellers.get(seller, (0, 0, 0))[1:])
        self.log("SellerSet", seller, ceiling)

    def left(self, seller: bytes) -> int:
        """Return what somebody may still mint in this period."""
        ceiling, period, minted = self.sellers.get(seller, (0, 0, 0))
        return ceiling if period != self._period() else max(0, ceiling - minted)

    def mint(self, sender: bytes, to: bytes, amount: int) -> None:
        self._sells(sender, amount)
        self._mint(to, amount)

    def mint_sold(self, sender: bytes, total: int) -> None:
        insist(total > self.sold, "ergon: nothing new")
        self._sells(sender, total - self.sold)
        amount, self.sold = total - self.sold, total
        self._mint(self.vault, amount)
        self.log("Sold", sender, amount)

    def burn(self, sender: bytes, amount: int) -> None:
        self._burn(sender, amount)
        self.log("Redeemed", sender, amount)

    def _sells(self, sender: bytes, amount: int) -> None:
        self.while_open()
        ceiling, period, minted = self.sellers.get(sender, (0, 0, 0))
        insist(ceiling > 0, "ergon: not a seller")
        insist(amount <= self.left(sender), "ergon: beyond the ceiling")
        now = self._period()
        self.sellers[sender] = (ceiling, now, amount + (minted if period == now else 0))

    def _period(self) -> int:
        return self.world.now_s // self.period_s


class Watt(Token):
    """Minted and burnt by the Vault."""

    def __init__(self, world: World, name: str, vault: bytes) -> None:
        super().__init__(world, name)
        self.vault = vault

    def mint(self, sender: bytes, to: bytes, amount: int) -> None:
        insist(sender == self.vault, "watt: not the vault")
        self._mint(to, amount)

    def burn(self, sender: bytes, amount: int) -> None:
        insist(sender == self.vault, "watt: not the vault")
        self._burn(sender, amount)
