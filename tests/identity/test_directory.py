import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.directory import Directory
from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.model import AccountId, GatewayId, InvalidValue, KeyId

KEYS = [VerifyingKey(SigningKey.from_seed(b"directory", str(n)).public) for n in range(40)]


def known(count: int = 40) -> Directory:
    directory = Directory()
    for n, key in enumerate(KEYS[:count]):
        directory.add(key, "member", AccountId(f"member-{n % 7}"))
    return directory


def test_a_key_is_found_by_its_name_with_what_it_may_do() -> None:
    directory = Directory()
    record = directory.add(KEYS[0], "gateway", AccountId("gw-1"), GatewayId("gw-1"))
    assert directory[KEYS[0].id] == directory.get(KEYS[0].id) == record
    assert (record.number, record.role, record.account, record.gateway) == (0, "gateway", "gw-1", "gw-1")
    assert KEYS[0].id in directory
    assert KEYS[1].id not in directory
    assert directory.get(KEYS[1].id) is None
    with pytest.raises(KeyError):
        directory[KEYS[1].id]


def test_keys_stand_in_order_of_registration_and_there_is_room_for_all() -> None:
    directory = known()
    assert [record.verifying for record in directory] == KEYS
    assert [record.number for record in directory] == list(range(40))
    assert len(directory) == 40
    picked = np.array([39, 0, 17, 17])
    assert directory.points(picked).tobytes() == b"".join(KEYS[n].point for n in picked.tolist())


def test_a_key_is_registered_once_and_a_second_time_changes_nothing() -> None:
    directory = known(3)
    directory.spoke(directory[KEYS[1].id])
    with pytest.raises(InvalidValue, match="registered once"):
        directory.add(KEYS[1], "planner", AccountId("planner"))
    assert len(directory) == 3
    assert directory[KEYS[1].id].role == "member"
    assert directory.next_seq(KEYS[1].id) == 2
    assert not directory.has_role(AccountId("planner"), "planner")


def test_accounts_have_the_roles_that_any_of_their_keys_has() -> None:
    directory = known(9)
    directory.add(KEYS[20], "planner", AccountId("member-1"))
    assert directory.has_role(AccountId("member-1"), "member")
    assert directory.has_role(AccountId("member-1"), "planner")
    assert not directory.has_role(AccountId("member-2"), "planner")
    assert directory.accounts("member") == [f"member-{n}" for n in range(7)]
    assert directory.accounts("planner") == ["member-1"]
    assert directory.accounts("dso") == []


@given(st.lists(st.integers(0, 39), max_size=80))
def test_each_key_counts_its_own_requests(spoke: list[int]) -> None:
    directory = known()
    for n in spoke:
        directory.spoke(directory[KEYS[n].id])
    counted = [1 + spoke.count(n) for n in range(40)]
    assert directory.next_seqs().tolist() == counted
    assert [directory.next_seq(key.id) for key in KEYS] == counted
    again = known()
    again.set_next_seqs(directory.next_seqs())
    assert again.next_seqs().tolist() == counted


def test_a_key_that_nobody_knows_begins_with_one() -> None:
    assert Directory().next_seq(KeyId("0x" + "0" * 40)) == 1


def test_numbers_that_are_handed_out_are_a_copy() -> None:
    directory = known(3)
    directory.next_seqs()[:] = 9
    assert directory.next_seqs().tolist() == [1, 1, 1]


@pytest.mark.parametrize("numbers", [[], [1, 1], [1, 1, 1, 1], [1, 0, 1], [1, -1, 1]])
def test_numbers_that_do_not_fit_the_keys_are_refused(numbers: list[int]) -> None:
    directory = known(3)
    with pytest.raises(InvalidValue, match="3 keys have a number each"):
        directory.set_next_seqs(np.array(numbers, np.int64))
    assert directory.next_seqs().tolist() == [1, 1, 1]
