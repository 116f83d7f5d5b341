"""The tokens as an ordinary wallet and the ledger know them."""

import pytest
from contract_words import NOBODY
from contract_yard import KEYS, WHO, Yard
from eth_account import Account
from eth_utils.address import to_checksum_address

from commonwatt.tokens.tsl import TOTAL_MICRO


@pytest.fixture
def yard() -> Yard:
    """Return contracts where anna has all TSL, and 100 ERGON."""
    yard = Yard()
    yard.send("seller", "Ergon", "mint", WHO["anna"], 100)
    return yard


def test_what_could_not_be_counted_by_the_ledger_is_not_minted(yard: Yard) -> None:
    most = 2**63 - 1 - 100
    refused = yard.send("seller", "Ergon", "mint", WHO["ben"], most + 1)
    assert refused.reason == "token: more than can be counted"
    assert yard.send("seller", "Ergon", "mint", WHO["ben"], most).reason is None


@pytest.mark.row("E3")
def test_tsl_is_a_thousand_million_for_ever(yard: Yard) -> None:
    assert yard.ask("Tsl", "totalSupply") == 10**9 * 10 ** yard.ask("Tsl", "decimals") == TOTAL_MICRO
    assert yard.ask("Tsl", "balanceOf", WHO["anna"]) == TOTAL_MICRO
    # Whatever its interface lets anybody do neither makes nor ends any.
    assert set(yard.words["Tsl"].changing) == {"transfer", "transferFrom", "approve", "permit"}
    yard.send("anna", "Tsl", "transfer", WHO["ben"], TOTAL_MICRO)
    refused = yard.send("ben", "Tsl", "transfer", NOBODY, 1)
    assert refused.reason == "token: nobody's address"
    assert yard.ask("Tsl", "totalSupply") == TOTAL_MICRO


@pytest.mark.row("E11")
@pytest.mark.parametrize("token", ["Tsl", "Ergon", "Watt"])
def test_a_wallet_signs_a_permit_that_the_contract_takes(yard: Yard, token: str) -> None:
    person = Account.from_key(KEYS["ben"].secret)
    deadline = yard.now_s + 60
    signed = person.sign_typed_data(
        domain_data={
            "name": yard.ask(token, "name"),
            "version": "1",
            "chainId": yard.chain_id,
            "verifyingContract": to_checksum_address(yard.places[token]),
        },
        message_types={
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        message_data={
            "owner": person.address,
            "spender": to_checksum_address(WHO["carla"]),
            "value": 12,
            "nonce": yard.ask(token, "nonces", WHO["ben"]),
            "deadline": deadline,
        },
    )
    parts = (signed.v, signed.r.to_bytes(32), signed.s.to_bytes(32))
    done = yard.send("carla", token, "permit", WHO["ben"], WHO["carla"], 12, deadline, *parts)
    assert done.reason is None
    assert yard.ask(token, "allowance", WHO["ben"], WHO["carla"]) == 12
