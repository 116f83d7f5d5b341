"""A channel's id and its vouchers, as the contract has them: EIP-712 typed data in the contract's own domain."""

from commonwatt.flows.chain_ports import TransactionSigner
from commonwatt.identity.eip712 import (
    Domain,
    address_word,
    compact_signature,
    compact_signer,
    number_word,
    typed_digest,
)
from commonwatt.identity.keys import keccak256
from commonwatt.model import KeyId
from commonwatt.tokens.channel import Config, Voucher

NAME = "commonwatt channel"
"""Of the contract's domain, see `Channel.vy`."""
_CONFIG = b"Config(address payer,address signer,address payee,address token,uint64 delay_s,bytes32 salt)"
_VOUCHER = b"Voucher(bytes32 channel,uint256 total)"


def domain(chain_id: int, contract: str) -> Domain:
    """Return the domain of a channel contract."""
    return Domain(name=NAME, chain_id=chain_id, contract=contract)


def channel_id(where: Domain, config: Config) -> str:
    """Return what a channel is called on its chain and in its contract: 64 hex digits."""
    parties = [address_word(one) for one in (config.payer, config.signer, config.payee, config.token)]
    words = [*parties, number_word(config.delay_s), number_word(config.salt)]
    return typed_digest(where.separator(), _CONFIG, words).hex()


def account_salt(community: str, account: str, number: int = 0) -> int:
    """Return the salt of a channel that pays for an account: so nobody can have it credited to another one.

    Args:
        community: Whose account.
        account: Its name in that community.
        number: Of the channel, where an account has had several: a closed one never opens again.
    """
    return int.from_bytes(keccak256(f"{community} {account} {number}".encode()))


def sign_voucher(where: Domain, key: TransactionSigner, channel: str, total: int) -> Voucher:
    """Return a voucher of a total, signed with the key that the channel's config names.

    Raises:
        InvalidValue: There is no such total.
    """
    digest = _digest(where, channel, total)
    r, vs = compact_signature(digest, key.sign_digest(digest), KeyId(key.id))
    return Voucher(channel=channel, total=total, signature=f"{r:064x}{vs:064x}")


def voucher_signer(where: Domain, voucher: Voucher) -> KeyId | None:
    """Return who signed a voucher for a chain and contract; None where nobody did."""
    r, vs = int(voucher.signature[:64], 16), int(voucher.signature[64:], 16)
    return compact_signer(_digest(where, voucher.channel, voucher.total), r, vs)


def _digest(where: Domain, channel: str, total: int) -> bytes:
    return typed_digest(where.separator(), _VOUCHER, [bytes.fromhex(channel), number_word(total)])
