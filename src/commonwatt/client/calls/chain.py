"""The community's chain over HTTP; written by scripts/client.py, not by hand."""

from collections.abc import Mapping

from commonwatt.apps.api.v1.writing import WriteDone
from commonwatt.apps.chain_facts import ChannelFact
from commonwatt.apps.views.channels import ChannelDone, ChannelWays
from commonwatt.apps.views.onchain import ChainView, Claimed, ExitView, HeldView, ProofView, StakeView, Withdrawal
from commonwatt.client.line import Line, new_key, part


class Chain:
    """The community's chain over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def chain(self) -> ChainView:
        """The community's chain.

        Its head and what of it is final, contracts, the last checkpoints, and what those cost each member in gas.
        """
        return self._line.call("GET", "/chain", ChainView)

    def stake(self) -> StakeView:
        """Who stakes.

        What witnesses have at stake so that their signatures make a checkpoint count.
        """
        return self._line.call("GET", "/chain/stake", StakeView)

    def withdrawals(self, account: str) -> list[Withdrawal]:
        """What an account sent out to the chain.

        By address and token: what was sent, what an anchored checkpoint shows of it, and what the Vault paid.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/withdrawals", list[Withdrawal])

    def send_out(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Send tokens out to an address of the chain.

        For good: the address takes them out of the Vault once a checkpoint that shows it is anchored. Asked again with
        the same `key` within a day, it is not done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/withdrawals", WriteDone, told=body, key=key or new_key()
        )

    def proof(self, account: str, address: str) -> ProofView:
        """What the Vault is shown.

        The arguments of `Vault.withdraw`, by which any wallet can claim without this community's help.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/withdrawals/{part(address)}/proof", ProofView)

    def held(self, account: str, address: str) -> HeldView:
        """What an address has on the chain.

        ERGON, WATT and TSL of an address that this account sent something to.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/withdrawals/{part(address)}/held", HeldView)

    def claim(self, account: str, address: str) -> Claimed:
        """Have the Vault pay an address.

        The operator sends it and pays the chain for it; what was paid before is not paid again.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/withdrawals/{part(address)}/claim", Claimed)

    def exit_of(self, account: str) -> ExitView:
        """Where an account exits to.

        The address of the chain to which the account's own goes if the operator stops.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/exit", ExitView)

    def exit_to(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Name where an account exits to.

        It stands until another is named, whatever keys are registered later; it counts once it is anchored. Asked again
        with the same `key` within a day, it is not done anew.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/exit", WriteDone, told=body, key=key or new_key())

    def channels(self, account: str) -> list[ChannelFact]:
        """An account's payment channels.

        Those that its own keys pay or are paid by, as final blocks tell: what was deposited and what claimed of it.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/channels", list[ChannelFact])

    def channel_ways(self, account: str) -> ChannelWays:
        """How an account could open a payment channel.

        Whether the community's till takes vouchers, by which terms, and what the account has on the chain for it.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/channel-ways", ChannelWays)

    def open_channel(self, account: str, body: Mapping[str, object]) -> ChannelDone:
        """Open a payment channel.

        To the community's till, with `deposit_micro` of the account's own ERGON on the chain and the key that is kept
        here; `signer` names the address of a gateway's key. `number` is the one that its channel-ways tell: asked
        again, for want of an answer, the same one is opened once.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/channels", ChannelDone, told=body)

    def withdraw_channel(self, account: str, channel: str) -> ChannelDone:
        """Begin to take a deposit back.

        The payee can claim what it is owed until the channel's delay is over; it cannot be called back.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/channels/{part(channel)}/withdraw", ChannelDone)

    def finish_channel(self, account: str, channel: str) -> ChannelDone:
        """Take a deposit back.

        Once the delay is over: what was not claimed goes to the payer.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/channels/{part(channel)}/finish", ChannelDone)

    def close_channel(self, account: str, channel: str) -> ChannelDone:
        """Have a payment channel closed.

        By the community that it pays, with the last voucher that its till holds: both sides are paid out at once.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/channels/{part(channel)}/close", ChannelDone)
