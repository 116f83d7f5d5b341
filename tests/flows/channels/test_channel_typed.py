"""A channel's id and its vouchers are what the contract and another library make of them."""

from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_hall import SIGNER, Hall
from commonwatt.flows.channels import typed
from commonwatt.flows.channels.contract import config_parts
from commonwatt.identity.eip712 import number_word
from commonwatt.tokens.channel import MOST_DELAY_S, MOST_TOTAL, Config

ADDRESS = st.binary(min_size=20, max_size=20).filter(any).map(lambda raw: "0x" + raw.hex())
CONFIGS = st.builds(
    Config,
    payer=ADDRESS,
    signer=ADDRESS,
    payee=ADDRESS,
    token=ADDRESS,
    delay_s=st.integers(0, MOST_DELAY_S),
    salt=st.integers(0, 2**256 - 1),
)
HERE = Hall()


@given(CONFIGS)
@settings(max_examples=15)
def test_the_contract_gives_a_channel_the_same_name(config: Config) -> None:
    channels = HERE.channels
    found = HERE.chain.call(channels.contract, "channel_id", [config_parts(config)])
    assert found.hex() == channels.id(config)


@given(st.binary(min_size=32, max_size=32), st.integers(1, MOST_TOTAL), st.integers(1, 2**64), ADDRESS)
@settings(max_examples=15)
def test_another_library_signs_the_same_voucher(channel: bytes, total: int, chain_id: int, contract: str) -> None:
    """eth-account's, as wallets sign typed data; it gives v beside r and s."""
    told: dict[str, Any] = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Voucher": [{"name": "channel", "type": "bytes32"}, {"name": "total", "type": "uint256"}],
        },
        "primaryType": "Voucher",
        "domain": {
            "name": "commonwatt channel", "version": "1", "chainId": chain_id, "verifyingContract": contract,
        },
        "message": {"channel": channel, "total": total},
    }  # fmt: skip
    secret = SIGNER._key.secret
    signed = Account.sign_message(encode_typed_data(full_message=told), secret)
    ours = typed.sign_voucher(typed.domain(chain_id, contract), SIGNER, channel.hex(), total)
    assert ours.signature == (number_word(signed.r) + number_word(signed.s + ((signed.v - 27) << 255))).hex()
    assert typed.voucher_signer(typed.domain(chain_id, contract), ours) == SIGNER.id
