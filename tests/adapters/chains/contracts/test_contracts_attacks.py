"""Each way to take what is not one's own, tried on the contracts; each is refused, and says why."""

from typing import Any

import pytest
from contract_words import Outcome, compact, mirrored, vrs
from contract_yard import DELAY_S, WHO, Yard
from evm_machines import CHAIN_ID
from model_roles import PAUSE_S

from commonwatt.adapters.chains.contracts.artifact import artifact
from hostile_words import hostile

NUMBER = b"\7" * 32


@pytest.fixture
def yard() -> Yard:
    """Return contracts where anna has all TSL, and 100 ERGON."""
    yard = Yard()
    yard.send("seller", "Ergon", "mint", WHO["anna"], 100)
    return yard


def device_of(yard: Yard) -> bytes:
    """Return a device that nobody claimed yet."""
    made = yard.send("maker", "DeviceRegistry", "manufacture", NUMBER, WHO["device"])
    assert made.reason is None
    return bytes(made.answer[0])


def claim_by(yard: Yard, device: bytes, owner: str) -> bytes:
    """Return the device's word for an owner."""
    return compact(yard.sign("device", "DeviceRegistry", "Claim", device, WHO[owner], yard.now_s + 100))


def claim(yard: Yard, device: bytes, owner: str, signature: bytes, by: str) -> Outcome:
    """Hand in a claim."""
    return yard.send(by, "DeviceRegistry", "claim", device, WHO[owner], yard.now_s + 100, signature)


def owner_of(yard: Yard, device: bytes) -> bytes:
    return bytes(yard.ask("DeviceRegistry", "devices", device)[2])


def permitted(yard: Yard, token: str = "Ergon", **how: Any) -> tuple[bytes, tuple[Any, ...]]:
    """Return anna's signature that ben may spend 40, and the call's arguments without it."""
    args = (WHO["anna"], WHO["ben"], 40)
    deadline = yard.now_s + 100
    return yard.sign("anna", token, "Permit", *args, 0, deadline, **how), (*args, deadline)


def test_malleable_signature_the_mirrored_one_of_a_permit_is_nothing(yard: Yard) -> None:
    signature, args = permitted(yard)
    assert yard.send("ben", "Ergon", "permit", *args, *vrs(mirrored(signature))).reason == "signature: high s"
    assert yard.send("ben", "Ergon", "permit", *args, *vrs(signature)).reason is None


def test_malleable_signature_the_mirrored_one_of_a_claim_is_nothing(yard: Yard) -> None:
    device = device_of(yard)
    signature = yard.sign("device", "DeviceRegistry", "Claim", device, WHO["anna"], yard.now_s + 100)
    high = mirrored(signature)
    # With the parity in its highest bit, a high s has no place for it: what is left is another number.
    assert claim(yard, device, "anna", compact(high), "anna").reason is not None
    assert claim(yard, device, "anna", compact(signature), "anna").reason is None


def test_permit_replay_gives_nothing_twice(yard: Yard) -> None:
    signature, args = permitted(yard)
    assert yard.send("ben", "Ergon", "permit", *args, *vrs(signature)).reason is None
    assert yard.send("ben", "Ergon", "transferFrom", WHO["anna"], WHO["ben"], 40).reason is None
    again = yard.send("ben", "Ergon", "permit", *args, *vrs(signature))
    assert again.reason == "permit: not the owner's signature"
    assert yard.ask("Ergon", "allowance", WHO["anna"], WHO["ben"]) == 0


def test_other_chains_permit_counts_on_that_chain_alone(yard: Yard) -> None:
    signature, args = permitted(yard, chain_id=CHAIN_ID + 1)
    refused = yard.send("ben", "Ergon", "permit", *args, *vrs(signature))
    assert refused.reason == "permit: not the owner's signature"
    # The same contracts at the same addresses on the other chain, as after a fork.
    other = Yard(chain_id=CHAIN_ID + 1)
    assert other.places == yard.places
    assert other.send("ben", "Ergon", "permit", *args, *vrs(signature)).reason is None


def test_other_contracts_permit_counts_at_that_contract_alone(yard: Yard) -> None:
    signature, args = permitted(yard, "Tsl")
    refused = yard.send("ben", "Ergon", "permit", *args, *vrs(signature))
    assert refused.reason == "permit: not the owner's signature"
    assert yard.send("ben", "Tsl", "permit", *args, *vrs(signature)).reason is None


def test_permit_of_nobody_is_not_signed_by_garbage(yard: Yard) -> None:
    args = (bytes(20), WHO["ben"], 40, yard.now_s + 100)
    assert yard.send("ben", "Ergon", "permit", *args, 27, bytes(32), bytes(32)).reason == "signature: nobody's"


def meddler_in(yard: Yard) -> bytes:
    """Deploy a contract that calls back when it receives."""
    return yard.deploy("Meddler", made=hostile("Meddler"))


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("claims", [False, True])
def test_reentrancy_through_the_receiver_moves_nothing_twice(yard: Yard, many: bool, claims: bool) -> None:
    words, meddler = yard.words["Certificates"], meddler_in(yard)
    yard.send("issuer", "Certificates", "issue", WHO["anna"], b"", 1, 100, b"sun")
    yard.send("anna", "Certificates", "setApprovalForAll", meddler, True)
    yard.send("anna", "Certificates", "safeTransferFrom", WHO["anna"], WHO["ben"], 1, 40, b"")
    # Anna sends it all that she has left, 60; approved by her, it would take as much again while it is asked.
    again = words.call("safeTransferFrom", WHO["anna"], meddler, 1, 60, b"")
    yard.send("carla", "Meddler", "arm", yard.places["Certificates"], again, False)
    function = f"safe{'Batch' if many else ''}Transfer{'AndClaim' if claims else ''}From"
    more = ([[b""]] if many else [b""]) if claims else []
    args = ([1], [60]) if many else (1, 60)
    assert yard.send("anna", "Certificates", function, WHO["anna"], meddler, *args, b"", *more).reason is None
    assert (yard.ask("Meddler", "calls"), yard.ask("Meddler", "succeeded")) == (1, 0)
    held = [yard.ask("Certificates", "balanceOf", who, 1) for who in (WHO["anna"], WHO["ben"], meddler)]
    claimed = yard.ask("Certificates", "claimedBalanceOf", meddler, 1)
    assert (held, claimed) == (([0, 40, 0], 60) if claims else ([0, 40, 60], 0))


@pytest.mark.row("M3")
def test_reentrancy_what_is_claimed_is_not_claimed_again_while_the_receiver_is_asked(yard: Yard) -> None:
    words, meddler = yard.words["Certificates"], meddler_in(yard)
    yard.send("issuer", "Certificates", "issue", WHO["anna"], b"", 1, 100, b"sun")
    claim_own = words.call("safeTransferAndClaimFrom", meddler, meddler, 1, 100, b"", b"")
    yard.send("carla", "Meddler", "arm", yard.places["Certificates"], claim_own, False)
    yard.send("anna", "Certificates", "safeTransferAndClaimFrom", WHO["anna"], meddler, 1, 100, b"", b"")
    assert yard.ask("Meddler", "succeeded") == 0
    assert yard.ask("Certificates", "claimedBalanceOf", meddler, 1) == 100


def test_a_receiver_that_refuses_leaves_everything_as_it_was(yard: Yard) -> None:
    meddler = meddler_in(yard)
    yard.send("issuer", "Certificates", "issue", WHO["anna"], b"", 1, 100, b"sun")
    yard.send("carla", "Meddler", "arm", bytes(20), b"", True)
    sent = (WHO["anna"], meddler)
    assert yard.send("anna", "Certificates", "safeTransferFrom", *sent, 1, 9, b"").reason == "token: not taken"
    batch = yard.send("anna", "Certificates", "safeBatchTransferFrom", *sent, [1], [9], b"")
    assert batch.reason == "token: not taken"
    assert yard.ask("Certificates", "balanceOf", WHO["anna"], 1) == 100


def test_a_certificate_that_its_issuer_took_back_is_not_claimed(yard: Yard) -> None:
    meddler = meddler_in(yard)
    yard.govern("Certificates", "set_issuer", meddler, True)
    asked = yard.words["Meddler"].call("valid")
    issue = yard.words["Certificates"].call("issue", WHO["anna"], asked, 1, 100, b"sun")
    act = ("carla", "Meddler", "act", yard.places["Certificates"], issue)
    assert yard.send(*act).reason == "certificates: not valid any more"
    yard.send("carla", "Meddler", "set_valid", True)
    assert yard.send(*act).reason is None
    claim_own = ("anna", "Certificates", "safeTransferAndClaimFrom", WHO["anna"], WHO["anna"], 1, 30, b"", b"")
    assert yard.send(*claim_own).reason is None
    yard.send("carla", "Meddler", "set_valid", False)
    assert yard.send(*claim_own).reason == "certificates: not valid any more"
    # It can still change hands: who buys it sees that it does not count.
    moved = yard.send("anna", "Certificates", "safeTransferFrom", WHO["anna"], WHO["ben"], 1, 40, b"")
    assert moved.reason is None


@pytest.mark.row("M5")
def test_timelock_bypass_nobody_does_at_once_what_has_to_wait(yard: Yard) -> None:
    data = yard.words["Ergon"].call("set_seller", WHO["ben"], 9)
    call = (yard.places["Ergon"], data, bytes(32))
    for who in ("anna", "proposer", "guardian", "deployer", "seller"):
        assert yard.send(who, "Ergon", "set_seller", WHO["ben"], 9).reason == "governed: not the timelock"
    assert yard.send("ben", "Timelock", "schedule", *call).reason == "timelock: not the proposer"
    assert yard.send("proposer", "Timelock", "execute", *call).reason == "timelock: not scheduled"
    assert yard.send("proposer", "Timelock", "schedule", *call).reason is None
    yard.later(DELAY_S - 1)
    assert yard.send("proposer", "Timelock", "execute", *call).reason == "timelock: not due"
    # Other words than were announced are another call.
    other = (call[0], yard.words["Ergon"].call("set_seller", WHO["carla"], 9), call[2])
    yard.later(1)
    assert yard.send("proposer", "Timelock", "execute", *other).reason == "timelock: not scheduled"
    assert yard.send("carla", "Timelock", "execute", *call).reason is None
    assert yard.send("carla", "Timelock", "execute", *call).reason == "timelock: not scheduled"
    assert yard.send("proposer", "Timelock", "schedule", *call).reason == "timelock: already scheduled"
    assert yard.send("ben", "Ergon", "mint", WHO["ben"], 1).reason is None


@pytest.mark.row("M5")
def test_timelock_bypass_a_stolen_proposers_key_is_stopped_by_the_guardian(yard: Yard) -> None:
    call = (yard.places["Ergon"], yard.words["Ergon"].call("set_seller", WHO["ben"], 9), bytes(32))
    assert yard.send("proposer", "Timelock", "schedule", *call).reason is None
    assert yard.send("guardian", "Timelock", "cancel", *call).reason is None
    yard.later(DELAY_S)
    assert yard.send("proposer", "Timelock", "execute", *call).reason == "timelock: not scheduled"


@pytest.mark.row("M5")
def test_a_pause_cannot_seize_what_is_there_leaves_as_before(yard: Yard) -> None:
    yard.send("issuer", "Certificates", "issue", WHO["anna"], b"", 1, 100, b"sun")
    yard.send("vault", "Watt", "mint", WHO["anna"], 50)
    device = device_of(yard)
    claim(yard, device, "anna", claim_by(yard, device, "anna"), "anna")
    for contract in ("Ergon", "DeviceRegistry", "Certificates"):
        assert yard.send("guardian", contract, "pause").reason is None
    signature, args = permitted(yard)
    leaves: list[tuple[str, str, str, Any]] = [
        ("anna", "Ergon", "transfer", (WHO["ben"], 10)),
        ("ben", "Ergon", "permit", (*args, *vrs(signature))),
        ("ben", "Ergon", "transferFrom", (WHO["anna"], WHO["ben"], 40)),
        ("ben", "Ergon", "burn", (50,)),
        ("anna", "Tsl", "transfer", (WHO["ben"], 10)),
        ("anna", "Watt", "transfer", (WHO["vault"], 50)),
        ("vault", "Watt", "burn", (50,)),
        ("anna", "Certificates", "safeTransferFrom", (WHO["anna"], WHO["ben"], 1, 40, b"")),
        ("anna", "Certificates", "safeTransferAndClaimFrom", (WHO["anna"], WHO["anna"], 1, 60, b"", b"")),
        ("anna", "DeviceRegistry", "transfer", (device, WHO["ben"])),
        ("ben", "DeviceRegistry", "retire", (device,)),
    ]
    for who, contract, function, args in leaves:
        assert yard.send(who, contract, function, *args).reason is None, function
    assert yard.send("seller", "Ergon", "mint", WHO["ben"], 1).reason == "governed: paused"
    enters = yard.send("maker", "DeviceRegistry", "manufacture", bytes(32), WHO["device"])
    assert enters.reason == "governed: paused"
    issued = yard.send("issuer", "Certificates", "issue", WHO["anna"], b"", 1, 1, b"wind")
    assert issued.reason == "governed: paused"


@pytest.mark.row("M5")
def test_a_pause_cannot_seize_nor_last_against_the_timelock(yard: Yard) -> None:
    yard.send("guardian", "Ergon", "pause")
    assert yard.govern("Ergon", "resume").reason is None
    assert yard.send("seller", "Ergon", "mint", WHO["ben"], 1).reason is None


@pytest.mark.row("M5")
def test_guardian_stops_all_for_good_a_pause_ends_and_the_next_one_waits_as_long(yard: Yard) -> None:
    mint = ("seller", "Ergon", "mint", WHO["ben"], 1)
    assert yard.send("guardian", "Ergon", "pause").reason is None
    yard.later(PAUSE_S - 1)
    assert yard.send(*mint).reason == "governed: paused"
    assert yard.send("guardian", "Ergon", "pause").reason == "governed: paused a while ago"
    yard.later(1)
    assert yard.send(*mint).reason is None
    assert yard.send("guardian", "Ergon", "resume").reason == "governed: not paused"
    yard.later(PAUSE_S - 1)
    assert yard.send("guardian", "Ergon", "pause").reason == "governed: paused a while ago"
    yard.later(1)
    assert yard.send("guardian", "Ergon", "pause").reason is None
    # To let in earlier makes no new pause possible at once: by turns, it would be one without an end.
    assert yard.send("guardian", "Ergon", "resume").reason is None
    assert yard.send("guardian", "Ergon", "pause").reason == "governed: paused a while ago"


@pytest.mark.row("M5")
def test_guardian_stops_all_for_good_it_cannot_cancel_what_takes_its_place_or_ends_its_pause(yard: Yard) -> None:
    assert yard.send("guardian", "Ergon", "pause").reason is None
    names = (yard.places["Timelock"], yard.words["Timelock"].call("name_guardian", WHO["carla"]), bytes(32))
    ends = (yard.places["Ergon"], yard.words["Ergon"].call("resume"), bytes(32))
    for call in (names, ends):
        assert yard.send("proposer", "Timelock", "schedule", *call).reason is None
        assert yard.send("guardian", "Timelock", "cancel", *call).reason == "timelock: not the guardian's to cancel"
        assert yard.send("proposer", "Timelock", "cancel", *call).reason is None, "its own word can be taken back"
        assert yard.send("proposer", "Timelock", "schedule", *call).reason is None
    yard.later(DELAY_S)
    for call in (names, ends):
        assert yard.send("ben", "Timelock", "execute", *call).reason is None
    assert yard.send("seller", "Ergon", "mint", WHO["ben"], 1).reason is None
    assert yard.send("guardian", "Timelock", "schedule", *names).reason == "timelock: not the proposer"
    assert yard.ask("Timelock", "guardian") == WHO["carla"]


@pytest.mark.row("M5")
def test_guardian_cancels_what_only_looks_like_the_end_of_a_pause(yard: Yard) -> None:
    resume = yard.words["Ergon"].call("resume")
    for data in (b"", resume[:3], yard.words["Ergon"].call("set_seller", WHO["ben"], 9) + resume):
        call = (yard.places["Ergon"], data, bytes(32))
        assert yard.send("proposer", "Timelock", "schedule", *call).reason is None
        assert yard.send("guardian", "Timelock", "cancel", *call).reason is None


def test_no_contract_here_lets_anybody_move_what_is_another_s(yard: Yard) -> None:
    # All that changes anything is named here; a new function needs a thought about who may call it.
    named = {
        "Tsl": {"transfer", "transferFrom", "approve", "permit"},
        "Watt": {"transfer", "transferFrom", "approve", "permit", "mint", "burn"},
        "Timelock": {"schedule", "execute", "cancel", "name_proposer", "name_guardian"},
        "DeviceRegistry": {"set_maker", "manufacture", "claim", "rotate", "transfer", "retire", "pause", "resume"},
    }
    for name, functions in named.items():
        changing = {
            entry["name"]
            for entry in artifact(name).abi
            if entry["type"] == "function" and entry["stateMutability"] not in {"view", "pure"}
        }
        assert changing == functions
    for who in ("guardian", "proposer", "deployer", "seller", "vault", "carla"):
        taken = yard.send(who, "Ergon", "transferFrom", WHO["anna"], WHO["carla"], 1)
        assert taken.reason == "token: more than is allowed"


@pytest.mark.row("H1")
def test_registry_takeover_by_front_running_a_claim_only_hands_it_in_for_its_owner(yard: Yard) -> None:
    device = device_of(yard)
    signature = claim_by(yard, device, "anna")
    for_themselves = claim(yard, device, "carla", signature, "carla")
    assert for_themselves.reason == "device: not its signature"
    assert claim(yard, device, "anna", signature, "carla").reason is None
    assert owner_of(yard, device) == WHO["anna"]


@pytest.mark.row("H1")
def test_registry_takeover_by_a_strangers_rotation_is_refused(yard: Yard) -> None:
    device = device_of(yard)
    claim(yard, device, "anna", claim_by(yard, device, "anna"), "anna")
    by_stranger = compact(yard.sign("carla", "DeviceRegistry", "Rotate", device, WHO["carla"], 0))
    by_device = compact(yard.sign("device", "DeviceRegistry", "Rotate", device, WHO["carla"], 0))
    rotate = ("DeviceRegistry", "rotate", device, WHO["carla"])
    assert yard.send("carla", *rotate, by_stranger, by_stranger).reason == "device: not its owner"
    # Not even with the device's key in hand, nor by an owner without it.
    assert yard.send("carla", *rotate, by_device, by_stranger).reason == "device: not its owner"
    assert yard.send("anna", *rotate, by_stranger, by_stranger).reason == "device: not its signature"
    assert yard.send("anna", *rotate, by_device, by_device).reason == "device: not the new key's signature"
    assert yard.send("anna", *rotate, by_device, by_stranger).reason is None


@pytest.mark.row("H1")
def test_registry_takeover_by_replaying_a_rotation_is_refused(yard: Yard) -> None:
    device = device_of(yard)
    claim(yard, device, "anna", claim_by(yard, device, "anna"), "anna")

    def rotated(old: str, new: str, turn: int) -> tuple[Any, ...]:
        signed = [compact(yard.sign(by, "DeviceRegistry", "Rotate", device, WHO[new], turn)) for by in (old, new)]
        return ("DeviceRegistry", "rotate", device, WHO[new], *signed)

    there = rotated("device", "ben", 0)
    assert yard.send("anna", *there).reason is None
    assert yard.send("anna", *rotated("ben", "device", 1)).reason is None
    assert yard.send("anna", *there).reason == "device: not its signature"


@pytest.mark.row("H1")
def test_registry_takeover_by_manufacturing_a_known_device_again_is_refused(yard: Yard) -> None:
    device = device_of(yard)
    yard.govern("DeviceRegistry", "set_maker", WHO["carla"], True)
    again = ("DeviceRegistry", "manufacture", NUMBER, WHO["carla"])
    assert yard.send("maker", *again).reason == "device: known"
    # Another maker's device of the same number is another device.
    made = yard.send("carla", *again)
    assert made.reason is None and made.answer[0] != device
    assert yard.ask("DeviceRegistry", "devices", device)[:2] == (WHO["maker"], WHO["device"])


@pytest.mark.row("H1")
def test_registry_takeover_by_replaying_a_claim_after_retirement_is_refused(yard: Yard) -> None:
    device = device_of(yard)
    signature = claim_by(yard, device, "anna")
    claim(yard, device, "anna", signature, "anna")
    assert claim(yard, device, "anna", signature, "anna").reason == "device: claimed"
    yard.send("anna", "DeviceRegistry", "transfer", device, WHO["ben"])
    assert claim(yard, device, "anna", signature, "anna").reason == "device: claimed"
    assert yard.send("anna", "DeviceRegistry", "retire", device).reason == "device: not its owner"
    assert yard.send("ben", "DeviceRegistry", "retire", device).reason is None
    assert claim(yard, device, "anna", signature, "anna").reason == "device: retired"
    again = yard.send("maker", "DeviceRegistry", "manufacture", NUMBER, WHO["device"])
    assert again.reason == "device: known"


@pytest.mark.row("H1")
def test_registry_takeover_by_a_claim_signed_long_ago_is_refused(yard: Yard) -> None:
    device = device_of(yard)
    deadline = yard.now_s + 100
    old = compact(yard.sign("device", "DeviceRegistry", "Claim", device, WHO["carla"], deadline))
    yard.later(101)
    late = yard.send("carla", "DeviceRegistry", "claim", device, WHO["carla"], deadline, old)
    assert late.reason == "device: claim expired"


def test_a_maker_recalls_what_nobody_claimed_and_nothing_else(yard: Yard) -> None:
    device = device_of(yard)
    assert yard.send("carla", "DeviceRegistry", "retire", device).reason == "device: not its owner"
    claim(yard, device, "anna", claim_by(yard, device, "anna"), "anna")
    assert yard.send("maker", "DeviceRegistry", "retire", device).reason == "device: not its owner"


@pytest.mark.row("M3")
def test_double_issue_of_the_same_facts_is_refused(yard: Yard) -> None:
    issue = ("issuer", "Certificates", "issue", WHO["anna"], b"", 1, 100, b"sun of noon")
    assert yard.send(*issue).answer == (1,)
    assert yard.send(*issue).reason == "certificates: issued already"
    both = ("issuer", "Certificates", "batchIssue", WHO["anna"], [b""] * 2, [1, 1], [5, 5], [b"wind", b"wind"])
    assert yard.send(*both).reason == "certificates: issued already"
    assert yard.ask("Certificates", "count") == 1


@pytest.mark.row("M3")
def test_double_issue_of_the_same_facts_by_another_issuer_is_refused(yard: Yard) -> None:
    assert yard.govern("Certificates", "set_issuer", WHO["ben"], True).reason is None
    told = ("Certificates", "issue", WHO["anna"], b"", 1, 100, b"sun of noon")
    assert yard.send("issuer", *told).answer == (1,)
    assert yard.send("ben", *told).reason == "certificates: issued already"
    assert yard.send("ben", *told[:-1], b"sun of one").answer == (2,), "other facts are his to certify"
