"""A wallet on a network: what was only seen is told apart from what stays, and nothing is sent twice by mistake."""

from collections.abc import Callable
from typing import Any

import pytest
from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from commonwatt.adapters.chains.deployment import Deployment, Terms, deploy
from commonwatt.adapters.chains.embedded.provider import EmbeddedProvider
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.apps.chain_wallet import ChainWallet, named
from commonwatt.identity.directory import KeyRecord
from commonwatt.identity.keys import VerifyingKey, keccak256
from commonwatt.identity.p256 import P256, verifying_key
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import AccountId, Commodity, KeyId, Refused, Unreachable
from on_chain import ALICE, BOB, CAROL, OPERATOR, Ground
from signers import secure_key

pytestmark = pytest.mark.row("E11")

A, B = KeyId(ALICE.id), KeyId(BOB.id)


class Network(BaseProvider):
    """An embedded chain that says how much of it is final, as a network's node does; and can be cut off."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self._inside = EmbeddedProvider(ground.embedded)
        self.final = 0
        self.cut: Callable[[str], bool] = lambda method: False

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_getBlockByNumber" and params[0] == "finalized":
            params = [hex(self.final), *params[1:]]
        if not self.cut(method):
            return self._inside.make_request(method, params)
        if method == "eth_sendRawTransaction":
            self._inside.make_request(method, params)
        raise ConnectionError("cut off")


class Town:
    """A network with a community's contracts, alice's wallet on it, and its final block moved by hand."""

    def __init__(self) -> None:
        self.ground = Ground()
        self.node = Network(self.ground)
        chain = EvmChain(Web3(self.node))
        made = deploy(chain, OPERATOR, Terms.of("town", OPERATOR.id))
        places = {name: one.address for name, one in made.items()}
        deployment = Deployment(origin="town", chain_id=chain.chain_id, fork="cancun", block=0, contracts=places)
        self.slept = 0
        self.each_second: Callable[[], None] = lambda: None
        self.wallet = ChainWallet(chain, deployment, {A: "alice", B: "bob"}, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.each_second()

    def all_final(self) -> None:
        self.node.final = self.ground.embedded.head.block_number

    def pay(self, target: KeyId, micro: int) -> bytes:
        offer = self.wallet.offer_send(KeyId(OPERATOR.id), target, Commodity.TSL, micro, "pay")
        return self.wallet.send(OPERATOR, offer)


@pytest.fixture(scope="module")
def town() -> Town:
    return Town()


def tsl(town: Town, who: KeyId) -> tuple[int, int | None]:
    (held,) = (one for one in town.wallet.balances(who).tokens if one.commodity is Commodity.TSL)
    return held.amount, held.final


def test_what_was_only_seen_is_told_apart_until_it_is_final(town: Town) -> None:
    town.node.final = 0
    tx = town.pay(A, 5)
    seen = town.wallet.wait(tx, 3)
    assert (seen.done, seen.final, town.slept) == (True, False, 3)
    assert tsl(town, A) == (5, None), "at the first block there was no such contract"
    assert [move.final for move in town.wallet.history(A)] == [False]
    town.each_second = lambda: town.all_final() if town.slept == 5 else None
    stays = town.wallet.wait(tx, 60)
    assert (stays.final, town.slept) == (True, 5), "it looks no longer than it has to"
    assert tsl(town, A) == (5, 5)
    assert [move.final for move in town.wallet.history(A)] == [True]
    town.pay(A, 2)
    assert tsl(town, A) == (7, 5)


def test_who_was_cut_off_while_sending_is_told_which_transaction_may_be_under_way(town: Town) -> None:
    town.node.cut = lambda method: method == "eth_sendRawTransaction"
    with pytest.raises(Unreachable, match=r"transaction 0x[0-9a-f]{64} may have been sent") as told:
        town.pay(B, 3)
    town.node.cut = lambda method: False
    tx = bytes.fromhex(str(told.value).split("transaction 0x")[1][:64])
    assert town.wallet.wait(tx, 0).done
    assert tsl(town, B)[0] == 3


def test_a_node_that_gives_no_answer_meanwhile_is_asked_again(town: Town) -> None:
    tx = town.pay(B, 1)
    town.all_final()
    town.node.cut = lambda method: True
    town.slept = 0

    def heal() -> None:
        town.node.cut = lambda method: town.slept < 4

    town.each_second = heal
    assert town.wallet.wait(tx, 60).final
    assert town.slept == 4


def test_a_transaction_that_nobody_knows_is_in_no_block(town: Town) -> None:
    town.each_second = lambda: None
    unknown = town.wallet.wait(keccak256(b"nothing"), 2)
    assert (unknown.block, unknown.done, unknown.final) == (None, False, False)


def test_what_was_offered_is_what_is_signed_and_its_price_is_a_bound(town: Town) -> None:
    offer = town.wallet.offer_send(A, B, Commodity.TSL, 1, "pay")
    assert offer.most_fee == offer.transaction.gas * offer.transaction.fee
    tx = town.wallet.send(ALICE, offer)
    done = town.wallet.wait(tx, 0)
    assert done.gas <= offer.transaction.gas
    with pytest.raises(Refused):
        town.wallet.send(ALICE, offer)  # its number is used


def test_what_goes_to_oneself_is_told_once_and_a_spender_s_unlimited_right_is_kept(town: Town) -> None:
    before = len(town.wallet.history(A))
    town.wallet.send(ALICE, town.wallet.offer_send(A, A, Commodity.TSL, 1, "to myself"))
    endless = 2**256 - 1
    town.wallet.send(ALICE, town.wallet.offer_allow(A, KeyId(CAROL.id), Commodity.ERGON, endless, "all"))
    moves = town.wallet.history(A)
    assert len(moves) == before + 2
    assert (moves[0].what, moves[0].amount, moves[0].other.name) == ("allowed", endless, "")
    assert town.wallet.history(A, limit=1) == moves[:1]
    assert {move.commodity for move in town.wallet.history(A, only=Commodity.ERGON)} == {Commodity.ERGON}


def test_nobody_sends_to_a_key_that_no_contract_knows(town: Town) -> None:
    """Gateways may have keys of P-256: their addresses look like all others, and nobody can ever sign for them."""
    verifying = verifying_key(secure_key("anna").public, P256)
    anna = KeyRecord(number=0, verifying=verifying, role="member", account=AccountId("anna"))
    ben = KeyRecord(number=1, verifying=VerifyingKey(BOB.public), role="car", account=AccountId("ben"))
    names, mute = named([anna, ben])
    assert (names, mute) == ({B: "ben (car)"}, {verifying.id})
    theirs = ChainWallet(town.wallet.chain, town.wallet.deployment, names, mute)
    with pytest.raises(Refused, match="a name is one address's"):
        theirs.find("anna")
    with pytest.raises(Refused, match="this one is of P-256"):
        theirs.find(with_checksum(verifying.id))
    assert theirs.find("ben (car)") == theirs.find(with_checksum(B)) == B


def test_a_name_of_two_addresses_leads_to_neither(town: Town) -> None:
    twice = ChainWallet(town.wallet.chain, town.wallet.deployment, {A: "member-01", B: "member-01"})
    with pytest.raises(Refused, match="a name is one address's"):
        twice.find("member-01")
