"""What a channel has to be so that a community's till takes its vouchers: said once for payer and payee."""

from dataclasses import dataclass

from commonwatt.flows.channels.typed import account_salt
from commonwatt.tokens.channel import Config

LEAST_DELAY_S = 86_400
"""A watchtower that is down over night, and a chain that is slow the next morning, still claim in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Whom a channel has to pay so that this till takes its vouchers.

    Args:
        community: Whose accounts it pays for.
        chain_id: The chain's number.
        contract: The contract of channels there.
        payee: Who is paid.
        token: In what: the community's ERGON.
        least_delay_s: The shortest delay that leaves time to claim.
    """

    community: str
    chain_id: int
    contract: str
    payee: str
    token: str
    least_delay_s: int = LEAST_DELAY_S

    def config(self, payer: str, signer: str, account: str, number: int = 0, delay_s: int | None = None) -> Config:
        """Return the config of a channel that pays for an account here.

        Args:
            payer: Who deposits.
            signer: Whose key signs vouchers.
            account: Of this community.
            number: Which of its channels.
            delay_s: The channel's delay; the shortest where none is given.

        Raises:
            InvalidValue: There can be no such channel.
        """
        return Config(
            payer=payer,
            signer=signer,
            payee=self.payee,
            token=self.token,
            delay_s=self.least_delay_s if delay_s is None else delay_s,
            salt=account_salt(self.community, account, number),
        )
