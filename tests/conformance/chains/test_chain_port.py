"""What every chain does behind the port: contracts made, asked and told, refusals, events, numbers, finality."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from chain_places import GIVEN, PLACES, EmbeddedPlace, Place, place_at

from commonwatt.flows.chain_ports import Chain, Contract, Reverted, deployed, final_events, is_final
from commonwatt.identity.keys import SigningKey, keccak256
from commonwatt.model import InvalidValue, Refused
from on_chain import probe, put, tell

PROBE = probe()


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    found = place_at(request.param, tmp_path_factory.mktemp("chain"))
    yield found
    found.close()


@pytest.fixture
def somebody(place: Place) -> SigningKey:
    """A new key, with coins to pay for gas."""
    return newcomer(place)


@pytest.fixture
def contract(place: Place, somebody: SigningKey) -> Contract:
    return put(place.chain, PROBE, 7, by=somebody, within_s=place.within_s)


def newcomer(place: Place) -> SigningKey:
    key = SigningKey.generate()
    given = place.chain.receipt(place.chain.transfer(place.rich, key.id, GIVEN), within_s=place.within_s)
    assert given is not None and given.ok
    return key


def test_a_contract_is_made_and_answers(place: Place, somebody: SigningKey, contract: Contract) -> None:
    assert place.chain.call(contract, "total") == 7
    assert place.chain.call(contract, "owner") == somebody.id
    assert place.chain.code(contract.address)
    assert place.chain.code(somebody.id) == b""


def test_values_go_in_and_come_out_as_they_are(place: Place, somebody: SigningKey, contract: Contract) -> None:
    assert place.chain.call(contract, "pair", (2**128 - 1, somebody.id)) == (2**128, (2**128 - 1, somebody.id))
    pairs = [(1, somebody.id), (2, contract.address)]
    assert place.chain.call(contract, "swapped", (pairs,)) == tuple(reversed(pairs))


def test_telling_a_contract_changes_it_and_the_receipt_says_where(
    place: Place, somebody: SigningKey, contract: Contract
) -> None:
    receipt = tell(place.chain, somebody, contract, "add", 5, within_s=place.within_s)
    assert place.chain.call(contract, "total") == 12
    assert place.chain.call(contract, "sums", (somebody.id,)) == 5
    assert place.chain.block(receipt.block).hash == receipt.block_hash
    assert place.chain.call(contract, "total", block=receipt.block - 1) == 7
    assert 21_000 < receipt.gas < 100_000


def test_a_refusal_is_told_in_the_contracts_words_before_anything_is_sent(
    place: Place, somebody: SigningKey, contract: Contract
) -> None:
    head = place.chain.head().number
    for tried in (place.chain.call, as_sent(place.chain, somebody)):
        with pytest.raises(Reverted) as told:
            tried(contract, "refuse", ("not on a Sunday",))
        assert told.value.reason == "not on a Sunday"
    with pytest.raises(Reverted, match="without a word"):
        place.chain.call(contract, "silent")
    tell(place.chain, somebody, contract, "add", 1, within_s=place.within_s)
    if isinstance(place, EmbeddedPlace):
        assert place.chain.head().number == head + 1


def test_what_is_refused_in_a_block_changes_nothing_and_its_receipt_says_so(
    place: Place, somebody: SigningKey, contract: Contract
) -> None:
    tx = place.chain.send(somebody, contract, "refuse", ("never",), gas=200_000)
    receipt = place.chain.receipt(tx, within_s=place.within_s)
    assert receipt is not None and not receipt.ok
    assert place.chain.call(contract, "total") == 7
    tell(place.chain, somebody, contract, "add", 1, within_s=place.within_s)


def test_who_gives_a_contract_what_it_does_not_take_is_told(place: Place, contract: Contract) -> None:
    for function, args in (("add", ()), ("add", ("five",)), ("add", (-1,)), ("pair", (2**128, contract.address))):
        with pytest.raises(InvalidValue):
            place.chain.call(contract, function, args)
    with pytest.raises(InvalidValue, match="there is no steal"):
        place.chain.call(contract, "steal")


def test_events_are_told_in_order_and_only_those_of_the_blocks_asked_for(
    place: Place, somebody: SigningKey, contract: Contract
) -> None:
    receipts = [tell(place.chain, somebody, contract, "add", n, within_s=place.within_s) for n in (1, 2, 3)]
    noted = tell(place.chain, somebody, contract, "note", "sun", 9, [1, 2], b"\0\xff", within_s=place.within_s)
    first, last = receipts[0].block, noted.block
    events = place.chain.events(contract, "Plain", first, last)
    assert [event.values for event in events] == [{"number": n} for n in (1, 2, 3)]
    assert [(event.tx, event.block, event.block_hash) for event in events] == [
        (one.tx, one.block, one.block_hash) for one in receipts
    ]
    assert len({(event.block_hash, event.index) for event in events}) == 3
    assert place.chain.events(contract, "Plain", receipts[0].block + 1, last) == events[1:]
    (event,) = place.chain.events(contract, "Noted", first, last)
    told = {"who": somebody.id, "word": keccak256(b"sun"), "number": 9, "parts": (1, 2), "content": b"\0\xff"}
    assert event.values == told
    with pytest.raises(InvalidValue):
        place.chain.events(contract, "Silence", first, last)


def test_what_is_final_stays_and_only_that_is_told_as_final(
    place: Place, somebody: SigningKey, contract: Contract
) -> None:
    receipt = tell(place.chain, somebody, contract, "add", 4, within_s=place.within_s)
    assert place.chain.final().number <= place.chain.head().number
    events, after = final_events(place.chain, contract, "Plain", receipt.block)
    assert bool(events) == (after > receipt.block)
    until = time.monotonic() + place.final_within_s
    while not (final := is_final(place.chain, receipt)) and time.monotonic() < until:
        time.sleep(1)
    assert final
    events, after = final_events(place.chain, contract, "Plain", receipt.block)
    assert [event.values for event in events] == [{"number": 4}]
    assert receipt.block < after <= place.chain.final().number + 1
    assert final_events(place.chain, contract, "Plain", place.chain.head().number + 10)[0] == []


def test_a_key_sends_many_without_waiting_and_all_go_in_once(
    place: Place, somebody: SigningKey, contract: Contract
) -> None:
    sent = [place.chain.send(somebody, contract, "add", (1,), gas=100_000) for _ in range(12)]
    receipts = [place.chain.receipt(tx, within_s=place.within_s) for tx in sent]
    assert all(receipt is not None and receipt.ok for receipt in receipts)
    assert place.chain.call(contract, "sums", (somebody.id,)) == 12
    assert place.chain.sent(somebody.id) == 13


def test_many_keys_and_threads_at_once_lose_nothing(place: Place, contract: Contract) -> None:
    keys = [newcomer(place) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda n: place.chain.send(keys[n % 4], contract, "add", (n,), gas=100_000), range(32)))
    assert all((found := place.chain.receipt(tx, within_s=place.within_s)) and found.ok for tx in sent)
    assert place.chain.call(contract, "total") == 7 + sum(range(32))


def test_who_starts_again_goes_on_with_the_next_number(place: Place, somebody: SigningKey, contract: Contract) -> None:
    before = tell(place.chain, somebody, contract, "add", 1, within_s=place.within_s)
    chain = place.again()
    found = chain.receipt(before.tx)
    assert found == before
    tell(chain, somebody, contract, "add", 2, within_s=place.within_s)
    assert chain.call(contract, "sums", (somebody.id,)) == 3


def test_gas_is_found_that_is_enough_for_contracts_that_call_others(
    place: Place, somebody: SigningKey, contract: Contract
) -> None:
    other = put(place.chain, PROBE, 0, by=somebody, within_s=place.within_s)
    receipt = tell(place.chain, somebody, contract, "spend_through", other.address, 400, within_s=place.within_s)
    assert place.chain.call(other, "total") == 400
    assert receipt.gas > 40_000


def test_coins_move_and_nobody_sends_what_is_not_theirs(place: Place, somebody: SigningKey) -> None:
    friend = SigningKey.generate()
    receipt = place.chain.receipt(place.chain.transfer(somebody, friend.id, 1_000), within_s=place.within_s)
    assert receipt is not None and receipt.ok
    assert place.chain.balance(friend.id) == 1_000
    with pytest.raises(Refused):
        place.chain.transfer(friend, somebody.id, 10**30)


def test_what_is_not_there_is_told_so(place: Place, contract: Contract) -> None:
    assert place.chain.receipt(bytes(32)) is None
    with pytest.raises(Refused, match="no such block"):
        place.chain.block(place.chain.head().number + 1_000)
    with pytest.raises(Refused, match="made before it is used"):
        deployed(place.chain.receipt(bytes(32)), PROBE)


def as_sent(chain: Chain, key: SigningKey) -> Callable[..., object]:
    return lambda contract, function, args: chain.send(key, contract, function, args)
