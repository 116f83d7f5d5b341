"""The contract of channels, asked and told in our words; it judges itself, see `Channel.vy`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from commonwatt.flows.chain_ports import Args, Chain, Contract, TransactionSigner, TxHash
from commonwatt.flows.channels import typed
from commonwatt.identity.eip712 import Domain, address_word, compact_signature, number_word, typed_digest
from commonwatt.model import KeyId
from commonwatt.tokens.channel import Config, Standing, Voucher

MOST_CLAIMS = 512
"""In one transaction, as the contract has it."""
CLAIM_GAS = 16_000
"""More than a claim takes among many; with `BASE_GAS` a bound, so that nothing has to be tried before it is sent."""
BASE_GAS = 150_000
_PERMIT = b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
_NOTHING = bytes(32)


@dataclass(frozen=True)
class Channels:
    """All channels of one contract.

    Every function raises what the port does, see `commonwatt.flows.chain_ports.Chain`: `Reverted` where the contract
    refuses, in its words, and `Unreachable` where nobody knows.

    Args:
        chain: On which it is.
        contract: Where.
    """

    chain: Chain
    contract: Contract

    @cached_property
    def domain(self) -> Domain:
        """In which its vouchers are signed."""
        return typed.domain(self.chain.chain_id, self.contract.address)

    def id(self, config: Config) -> str:
        """Return what a channel is called here, be it open or not."""
        return typed.channel_id(self.domain, config)

    def sign(self, key: TransactionSigner, channel: str, total: int) -> Voucher:
        """Return a voucher of a total, see `typed.sign_voucher`."""
        return typed.sign_voucher(self.domain, key, channel, total)

    def signer(self, voucher: Voucher) -> KeyId | None:
        """Return who signed a voucher for this contract on this chain; None where nobody did."""
        return typed.voucher_signer(self.domain, voucher)

    def seen(self, channel: str) -> Standing:
        """Return what was last seen of a channel; a network may take it back."""
        return _standing(self.chain.call(self.contract, "standing", [bytes.fromhex(channel)]))

    def final(self, channel: str) -> Standing:
        """Return what stands of a channel for good."""
        final = self.chain.final().number
        return _standing(self.chain.call(self.contract, "standing", [bytes.fromhex(channel)], block=final))

    def seen_of(self, channels: Sequence[str]) -> list[Standing]:
        """Return what was last seen of many channels, `MOST_CLAIMS` at most, in their order."""
        ids = [bytes.fromhex(channel) for channel in channels]
        return [_standing(found) for found in self.chain.call(self.contract, "standings", [ids])]

    def deposit(self, key: TransactionSigner, config: Config, amount: int) -> TxHash:
        """Open a channel or add to one, from what the token allows this contract to take of the payer's."""
        return self.chain.send(key, self.contract, "deposit", [config_parts(config), amount])

    def deposit_by_permit(
        self, key: TransactionSigner, config: Config, amount: int, token: Contract, deadline_s: int
    ) -> TxHash:
        """As `deposit`, with a permit in place of an allowance: one transaction. Arguments as in `permit`."""
        signed = self.permit(key, amount, token, deadline_s)
        args = [config_parts(config), amount, deadline_s, *signed]
        return self.chain.send(key, self.contract, "deposit_with_permit", args)

    def permit(self, key: TransactionSigner, amount: int, token: Contract, deadline_s: int) -> tuple[int, bytes, bytes]:
        """Return v, r and s of a payer's permit for this contract to take an amount, once.

        Args:
            key: The payer's.
            amount: Base units.
            token: Of which.
            deadline_s: Last second at which it counts, since 1970.

        Source: EIP-2612.
        """
        nonce = self.chain.call(token, "nonces", [key.id])
        words = [address_word(key.id), address_word(self.contract.address)]
        words += [number_word(number) for number in (amount, nonce, deadline_s)]
        digest = typed_digest(self.chain.call(token, "DOMAIN_SEPARATOR"), _PERMIT, words)
        r, vs = compact_signature(digest, key.sign_digest(digest), KeyId(key.id))
        return 27 + (vs >> 255), number_word(r), number_word(vs % 2**255)

    def claim(self, key: TransactionSigner, held: Sequence[tuple[Config, Voucher]]) -> TxHash:
        """Have a payee paid what vouchers of channels with one payee and token add to what was claimed.

        Args:
            key: Anybody's: the payee is paid, whoever asks.
            held: One voucher for each channel, as `in_claims` returns them.
        """
        payee, token = held[0][0].payee, held[0][0].token
        return self.chain.send(
            key, self.contract, "claim", [payee, token, list(_items(held))], gas=BASE_GAS + CLAIM_GAS * len(held)
        )

    def close(self, key: TransactionSigner, config: Config, voucher: Voucher | None) -> TxHash:
        """Pay out both sides and end a channel; with the payee's key, and the last voucher where there is one."""
        r, vs = _halves(voucher.signature) if voucher else (_NOTHING, _NOTHING)
        args: Args = [config_parts(config), voucher.total if voucher else 0, r, vs]
        return self.chain.send(key, self.contract, "close", args)

    def withdraw(self, key: TransactionSigner, config: Config) -> TxHash:
        """Begin to take back what is not owed; with the payer's key."""
        return self.chain.send(key, self.contract, "withdraw", [config_parts(config)])

    def finish(self, key: TransactionSigner, config: Config) -> TxHash:
        """End a channel whose withdrawal has waited long enough; with anybody's key."""
        return self.chain.send(key, self.contract, "finish", [config_parts(config)])

    def withdrawing(self, first: int, last: int) -> list[tuple[int, str, str]]:
        """Return where payers have begun to withdraw: the block, the channel and its payee, in order.

        Args:
            first: The first block looked at.
            last: The last.
        """
        events = self.chain.events(self.contract, "Withdrawing", first, last)
        return [(event.block, event.values["channel"].hex(), event.values["payee"]) for event in events]


def in_claims(held: Iterable[tuple[Config, Voucher]]) -> Iterator[list[tuple[Config, Voucher]]]:
    """Yield vouchers as the contract takes them at once: of one payee in one token, `MOST_CLAIMS` at most.

    A till that was given another payee or token still holds what it was owed before.
    """
    by_payee = dict[tuple[str, str], list[tuple[Config, Voucher]]]()
    for config, voucher in held:
        by_payee.setdefault((config.payee, config.token), []).append((config, voucher))
    for some in by_payee.values():
        yield from (some[first : first + MOST_CLAIMS] for first in range(0, len(some), MOST_CLAIMS))


def _standing(found: tuple[int, int, int, bool]) -> Standing:
    deposit, claimed, finish_at_s, closed = found
    return Standing(deposit=deposit, claimed=claimed, finish_at_s=finish_at_s, closed=closed)


def config_parts(config: Config) -> tuple[object, ...]:
    """Return a config as the contract takes it."""
    return (
        config.payer, config.signer, config.payee, config.token, config.delay_s, number_word(config.salt)
    )  # fmt: skip


def _items(held: Sequence[tuple[Config, Voucher]]) -> Iterable[tuple[object, ...]]:
    for config, voucher in held:
        yield (
            config.payer, config.signer, config.delay_s, number_word(config.salt), voucher.total,
            *_halves(voucher.signature),
        )  # fmt: skip


def _halves(signature: str) -> tuple[bytes, bytes]:
    both = bytes.fromhex(signature)
    return both[:32], both[32:]
