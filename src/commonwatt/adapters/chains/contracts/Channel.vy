# pragma version ==0.4.3
"""
@title Payment channels
@license Apache-2.0
@notice A payer deposits once and then pays by vouchers that never touch the chain. A voucher says the total ever owed, so
    a later one replaces all earlier ones and a lost one costs nothing. The payee closes with the last voucher, which pays
    out both sides: two transactions in all.
@dev A channel is its config: nothing of it can change, and its id is the config's EIP-712 digest, so that it names
    chain and contract. One slot holds deposit and claimed total, 128 bits each. A closed channel never opens again:
    old vouchers would come back to life. Money leaves only to the payee and the payer, whoever asks.
    Sources: EIP-712 (typed data), EIP-2098 (64-byte signatures), EIP-2 (low s), EIP-2612 (permit).
"""

from ethereum.ercs import IERC20

import governed
import signed

initializes: governed
exports: governed.__interface__


struct Config:
    payer: address
    signer: address
    payee: address
    token: address
    delay_s: uint64
    salt: bytes32


struct Item:
    payer: address
    signer: address
    delay_s: uint64
    salt: bytes32
    total: uint256
    r: bytes32
    vs: bytes32


struct Standing:
    deposit: uint256
    claimed: uint256
    finish_at: uint256
    closed: bool


event Opened:
    channel: indexed(bytes32)
    payer: indexed(address)
    payee: indexed(address)
    signer: address
    token: address
    delay_s: uint64
    salt: bytes32


event Deposited:
    channel: indexed(bytes32)
    amount: uint256


event Claimed:
    channel: indexed(bytes32)
    total: uint256


event Skipped:
    channel: indexed(bytes32)
    stale: bool


event Withdrawing:
    channel: indexed(bytes32)
    payee: indexed(address)
    finish_at: uint256


event Closed:
    channel: indexed(bytes32)
    to_payee: uint256
    to_payer: uint256


MOST_CLAIMS: constant(uint256) = 512
MOST_DELAY_S: constant(uint64) = 30 * 86_400
CLOSED: constant(uint256) = 2**128 - 1
NAME: constant(bytes32) = keccak256("commonwatt channel")
CONFIG: constant(bytes32) = keccak256(
    "Config(address payer,address signer,address payee,address token,uint64 delay_s,bytes32 salt)"
)
VOUCHER: constant(bytes32) = keccak256("Voucher(bytes32 channel,uint256 total)")

# Deposit in the upper, claimed total in the lower 128 bits; CLOSED for good, 0 before it was opened.
_held: HashMap[bytes32, uint256]
_finish_at: HashMap[bytes32, uint256]


@deploy
def __init__(timelock: address):
    governed.__init__(timelock)


@external
@nonreentrant
def deposit(config: Config, amount: uint128):
    """
    @notice Open a channel, or add to one; the payer alone, who has approved the amount before.
    @dev Nothing is added while a withdrawal runs: what it would pay out is fixed when it begins.
    """
    self._deposit(config, amount)


@external
@nonreentrant
def deposit_with_permit(config: Config, amount: uint128, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice As `deposit`, with the payer's EIP-2612 permit in place of an approval: one transaction.
    """
    # Anybody may have shown the permit first, which spends it and leaves the allowance: that must not spoil this.
    shown: bool = raw_call(
        config.token,
        abi_encode(
            msg.sender, self, convert(amount, uint256), deadline, v, r, s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )
    self._deposit(config, amount)


@external
@nonreentrant
def claim(payee: address, token: address, items: DynArray[Item, MOST_CLAIMS]) -> uint256:
    """
    @notice Pay a payee what vouchers of many channels in one token add to what was claimed; anybody may ask.
    @dev An item that pays nothing is skipped with an event and spoils no other: a payer who ends a channel just before
        would stop everybody's claim. A voucher above the deposit pays what is deposited.
    @return What the payee was paid.
    """
    domain: bytes32 = signed.domain_separator(NAME)
    paid: uint256 = 0
    for item: Item in items:
        channel: bytes32 = self._id(domain, item.payer, item.signer, payee, token, item.delay_s, item.salt)
        held: uint256 = self._held[channel]
        owed: uint256 = min(item.total, held >> 128)
        if owed <= held & CLOSED:
            log Skipped(channel=channel, stale=True)
        elif not self._signed(domain, channel, item.signer, item.total, item.r, item.vs):
            log Skipped(channel=channel, stale=False)
        else:
            paid += owed - (held & CLOSED)
            self._held[channel] = held >> 128 << 128 | owed
            log Claimed(channel=channel, total=owed)
    self._pay(token, payee, paid)
    return paid


@external
@nonreentrant
def close(config: Config, total: uint256, r: bytes32, vs: bytes32):
    """
    @notice End a channel with the last voucher and pay out both sides; the payee alone.
    @dev Without a voucher, or with no better one than was claimed, the signature is not looked at.
    """
    assert msg.sender == config.payee, "channel: payee closes"
    domain: bytes32 = signed.domain_separator(NAME)
    channel: bytes32 = self._config_id(domain, config)
    deposited: uint256 = 0
    claimed: uint256 = 0
    deposited, claimed = self._open(channel)
    owed: uint256 = min(total, deposited)
    if owed > claimed:
        assert self._signed(domain, channel, config.signer, total, r, vs), "channel: not signed"
    else:
        owed = claimed
    self._held[channel] = CLOSED
    log Closed(channel=channel, to_payee=owed - claimed, to_payer=deposited - owed)
    self._pay(config.token, config.payee, owed - claimed)
    self._pay(config.token, config.payer, deposited - owed)


@external
def withdraw(config: Config):
    """
    @notice Begin to take back what is not owed; the payer alone. The payee can claim until `finish`, for `delay_s` at least.
    """
    assert msg.sender == config.payer, "channel: payer withdraws"
    channel: bytes32 = self._config_id(signed.domain_separator(NAME), config)
    deposited: uint256 = 0
    claimed: uint256 = 0
    deposited, claimed = self._open(channel)
    assert self._finish_at[channel] == 0, "channel: withdrawing"
    finish_at: uint256 = block.timestamp + convert(config.delay_s, uint256)
    self._finish_at[channel] = finish_at
    log Withdrawing(channel=channel, payee=config.payee, finish_at=finish_at)


@external
@nonreentrant
def finish(config: Config):
    """
    @notice End a channel whose withdrawal has waited long enough; what was not claimed goes to the payer. Anybody may ask.
    """
    channel: bytes32 = self._config_id(signed.domain_separator(NAME), config)
    deposited: uint256 = 0
    claimed: uint256 = 0
    deposited, claimed = self._open(channel)
    finish_at: uint256 = self._finish_at[channel]
    assert finish_at != 0 and block.timestamp >= finish_at, "channel: too early"
    self._held[channel] = CLOSED
    log Closed(channel=channel, to_payee=0, to_payer=deposited - claimed)
    self._pay(config.token, config.payer, deposited - claimed)


@external
@view
def channel_id(config: Config) -> bytes32:
    """
    @notice The name of a channel on this chain and in this contract, whether it is open or not.
    """
    return self._config_id(signed.domain_separator(NAME), config)


@external
@view
def standing(channel: bytes32) -> Standing:
    """
    @notice What stands of a channel; all zero before it was opened, and no amounts once it is closed.
    """
    return self._standing(channel)


@external
@view
def standings(channels: DynArray[bytes32, MOST_CLAIMS]) -> DynArray[Standing, MOST_CLAIMS]:
    """
    @notice The same of many channels, in their order.
    """
    found: DynArray[Standing, MOST_CLAIMS] = []
    for channel: bytes32 in channels:
        found.append(self._standing(channel))
    return found


@internal
def _deposit(config: Config, amount: uint128):
    governed.while_open()
    assert msg.sender == config.payer, "channel: payer deposits"
    assert amount != 0, "channel: nothing deposited"
    channel: bytes32 = self._config_id(signed.domain_separator(NAME), config)
    held: uint256 = self._held[channel]
    assert held != CLOSED, "channel: closed"
    assert self._finish_at[channel] == 0, "channel: withdrawing"
    if held == 0:
        assert config.signer != empty(address) and config.payee != empty(address), "channel: no signer or payee"
        assert config.delay_s <= MOST_DELAY_S, "channel: delay too long"
        log Opened(
            channel=channel, payer=config.payer, payee=config.payee, signer=config.signer,
            token=config.token, delay_s=config.delay_s, salt=config.salt,
        )
    added: uint256 = convert(amount, uint256)
    assert (held >> 128) + added < CLOSED, "channel: too much"
    self._held[channel] = held + (added << 128)
    log Deposited(channel=channel, amount=added)
    before: uint256 = staticcall IERC20(config.token).balanceOf(self)
    assert extcall IERC20(config.token).transferFrom(msg.sender, self, added, default_return_value=True), "channel: not paid"
    # A token that keeps a part for itself would leave this contract owing more than it has.
    assert staticcall IERC20(config.token).balanceOf(self) == before + added, "channel: not all paid"


@internal
def _pay(token: address, to: address, amount: uint256):
    if amount != 0:
        assert extcall IERC20(token).transfer(to, amount, default_return_value=True), "channel: not paid"


@internal
@view
def _standing(channel: bytes32) -> Standing:
    held: uint256 = self._held[channel]
    if held == CLOSED:
        return Standing(deposit=0, claimed=0, finish_at=self._finish_at[channel], closed=True)
    return Standing(deposit=held >> 128, claimed=held & CLOSED, finish_at=self._finish_at[channel], closed=False)


@internal
@view
def _open(channel: bytes32) -> (uint256, uint256):
    held: uint256 = self._held[channel]
    assert held != 0 and held != CLOSED, "channel: not open"
    return held >> 128, held & CLOSED


@internal
@view
def _signed(domain: bytes32, channel: bytes32, signer: address, total: uint256, r: bytes32, vs: bytes32) -> bool:
    s: uint256 = convert(vs, uint256) & signed.S_BITS
    if s > signed.MOST_S:
        return False
    voucher: bytes32 = keccak256(abi_encode(VOUCHER, channel, total))
    digest: bytes32 = keccak256(concat(x"1901", domain, voucher))
    found: address = ecrecover(digest, 27 + (convert(vs, uint256) >> 255), convert(r, uint256), s)
    return found == signer and found != empty(address)


@internal
@view
def _config_id(domain: bytes32, config: Config) -> bytes32:
    return self._id(domain, config.payer, config.signer, config.payee, config.token, config.delay_s, config.salt)


@internal
@pure
def _id(
    domain: bytes32, payer: address, signer: address, payee: address, token: address, delay_s: uint64, salt: bytes32
) -> bytes32:
    config: bytes32 = keccak256(abi_encode(CONFIG, payer, signer, payee, token, delay_s, salt))
    return keccak256(concat(x"1901", domain, config))
