"""Every function, event and refusal that the contracts know comes about, and as the model has it."""

import re
from pathlib import Path

import pytest
from contract_words import NOBODY, Words, compact, mirrored, reason_of, vrs
from contract_yard import CEILING, DELAY_S, WHO, Yard
from model_devices import device_id
from model_roles import FRESH_S, PAUSE_S
from modelled_yard import CONTRACTS, GOVERNED, TOKENS, Both

import commonwatt.adapters.chains.contracts
from commonwatt.adapters.chains.contracts.artifact import artifact

ELSEWHERE = {
    # What receivers and issuers answer is no part of the model; test_contracts_attacks has them.
    "token: not taken",
    "certificates: not valid any more",
    # Nor is what a final state of the ledger lets mint: test_vault_contract.
    "ergon: not final",
    "ergon: another account",
}
BY_FINAL_STATES = {("Ergon", "mint_exported"), ("Ergon", "Exported")}
PROOFS = {"books.vy", "merkle.vy"}
UNKNOWN = {"certificates: unknown"}
"""A view's, which the model has none of."""


def words_of(names: tuple[str, ...]) -> set[str]:
    """Return the words of all refusals in the sources that these contracts are made of."""
    folder = Path(commonwatt.adapters.chains.contracts.__file__).parent
    sources = {file for name in names for file in artifact(name).sources} - PROOFS
    found: set[str] = set()
    for file in sources:
        text = (folder / file).read_text()
        asserted = re.findall(r"^ *assert .*, \"([^\"]*)\"$", text, re.MULTILINE)
        assert len(asserted) == len(re.findall(r"^ *assert ", text, re.MULTILINE)), file
        found.update(asserted)
    return found


def constructed_wrongly() -> set[str]:
    """Return why constructors refuse."""
    yard, found = Yard(), set[str]()
    bad = [
        ("Timelock", (0, WHO["anna"], WHO["ben"])),
        ("Timelock", (1, NOBODY, WHO["ben"])),
        ("Timelock", (1, WHO["anna"], NOBODY)),
        ("Watt", (NOBODY,)),
        ("Ergon", (WHO["anna"], NOBODY, WHO["ben"], 1)),
        ("Ergon", (WHO["anna"], WHO["ben"], WHO["ben"], 0)),
        ("DeviceRegistry", (NOBODY,)),
        ("Tsl", (NOBODY,)),
    ]
    for name, args in bad:
        told = yard.machine.send(WHO["deployer"], b"", Words(name, artifact(name)).deployment(*args))
        assert not told.succeeded
        found.add(reason_of(told.answer))
    return found


def tokens_wrongly(both: Both) -> None:
    yard = both.yard
    both.send("anna", "Tsl", "transfer", NOBODY, 1)
    both.send("anna", "Tsl", "transfer", yard.places["Tsl"], 1)
    both.send("ben", "Tsl", "transfer", WHO["anna"], 1)
    both.send("ben", "Tsl", "transferFrom", WHO["anna"], WHO["ben"], 1)
    both.send("anna", "Tsl", "approve", NOBODY, 1)
    both.send("ben", "Ergon", "mint", WHO["ben"], 1)
    both.send("seller", "Ergon", "mint", WHO["ben"], 2**63)
    both.send("seller", "Ergon", "mint", WHO["ben"], CEILING + 1)
    both.send("ben", "Ergon", "mint_sold", 1)
    both.send("seller", "Ergon", "mint_sold", 0)
    both.send("seller", "Ergon", "mint_sold", 2**63)
    both.send("ben", "Watt", "mint", WHO["ben"], 1)
    both.send("ben", "Watt", "burn", 1)
    args = (WHO["anna"], WHO["ben"], 1)
    for deadline in (both.soon_s - 1, both.soon_s + 100):
        signature = yard.sign("anna", "Tsl", "Permit", *args, 0, deadline)
        for one in (vrs(mirrored(signature)), (29, *vrs(signature)[1:]), vrs(signature), vrs(signature)):
            both.send("ben", "Tsl", "permit", *args, deadline, *one)


def roles_wrongly(both: Both) -> None:
    call = (both.yard.places["Ergon"], both.yard.words["Ergon"].call("set_seller", WHO["ben"], 9), bytes(32))
    both.send("anna", "Timelock", "schedule", *call)
    both.send("anna", "Timelock", "execute", *call)
    both.send("anna", "Timelock", "name_guardian", WHO["anna"])
    both.send("proposer", "Timelock", "schedule", *call)
    both.send("proposer", "Timelock", "schedule", *call)
    both.send("anna", "Timelock", "cancel", *call)
    both.send("anna", "Timelock", "execute", *call)
    both.later(DELAY_S + FRESH_S)
    both.send("anna", "Timelock", "execute", *call)
    nowhere = (WHO["carla"], b"", bytes(32))
    both.send("proposer", "Timelock", "schedule", *nowhere)
    both.later(DELAY_S)
    both.send("anna", "Timelock", "execute", *nowhere)
    ends = (both.yard.places["Ergon"], both.yard.words["Ergon"].call("resume"), bytes(32))
    both.send("proposer", "Timelock", "schedule", *ends)
    both.send("guardian", "Timelock", "cancel", *ends)
    both.send("anna", "Ergon", "set_seller", WHO["anna"], 9)
    both.send("anna", "Ergon", "pause")
    both.send("guardian", "Ergon", "resume")
    both.send("guardian", "Ergon", "pause")
    both.send("guardian", "Ergon", "pause")
    both.send("seller", "Ergon", "mint", WHO["ben"], 1)
    both.send("anna", "Ergon", "resume")


def devices_wrongly(both: Both) -> None:
    yard, number = both.yard, bytes(32)
    device = device_id(WHO["maker"], number)
    both.send("anna", "DeviceRegistry", "retire", device)
    both.send("anna", "DeviceRegistry", "manufacture", number, WHO["device"])
    both.send("maker", "DeviceRegistry", "manufacture", number, NOBODY)
    both.send("maker", "DeviceRegistry", "manufacture", number, WHO["device"])
    both.send("maker", "DeviceRegistry", "manufacture", number, WHO["device"])
    now = both.soon_s
    for owner, deadline in ((NOBODY, now + 100), (WHO["anna"], now - 1), (WHO["anna"], now + 100)):
        signature = compact(yard.sign("device", "DeviceRegistry", "Claim", device, owner, deadline))
        for one in (signature[:63], compact(yard.sign("ben", "DeviceRegistry", "Claim", device, owner, deadline))):
            both.send("anna", "DeviceRegistry", "claim", device, owner, deadline, one)
        both.send("anna", "DeviceRegistry", "claim", device, owner, deadline, signature)
        both.send("anna", "DeviceRegistry", "claim", device, owner, deadline, signature)
    both.send("ben", "DeviceRegistry", "transfer", device, WHO["ben"])
    both.send("anna", "DeviceRegistry", "transfer", device, NOBODY)
    old, new = (compact(yard.sign(by, "DeviceRegistry", "Rotate", device, WHO["ben"], 0)) for by in ("device", "ben"))
    both.send("anna", "DeviceRegistry", "rotate", device, WHO["device"], old, old)
    both.send("anna", "DeviceRegistry", "rotate", device, WHO["ben"], new, new)
    both.send("anna", "DeviceRegistry", "rotate", device, WHO["ben"], old, old)
    both.send("anna", "DeviceRegistry", "retire", device)
    both.send("anna", "DeviceRegistry", "retire", device)


def certificates_wrongly(both: Both) -> None:
    for who, to, validity, amount in (
        ("anna", WHO["anna"], b"", 1),
        ("issuer", NOBODY, b"", 1),
        ("issuer", WHO["anna"], b"", 0),
        ("issuer", WHO["anna"], b"?", 1),
        ("issuer", WHO["anna"], b"", 1),
        ("issuer", WHO["anna"], b"", 1),
        ("issuer", both.yard.places["Tsl"], b"", 1),
    ):
        both.send(who, "Certificates", "issue", to, validity, 1, amount, b"facts")
    both.send("issuer", "Certificates", "batchIssue", WHO["anna"], [], [], [], [])
    both.send("ben", "Certificates", "safeTransferFrom", WHO["anna"], WHO["ben"], 1, 1, b"")
    both.send("anna", "Certificates", "safeTransferFrom", WHO["anna"], NOBODY, 1, 1, b"")
    both.send("anna", "Certificates", "safeTransferFrom", WHO["anna"], WHO["ben"], 1, 2, b"")
    both.send("anna", "Certificates", "setApprovalForAll", NOBODY, True)


def tokens_rightly(both: Both) -> None:
    yard = both.yard
    both.send("seller", "Ergon", "mint_sold", 5)
    both.send("seller", "Ergon", "mint_sold", 7)
    for who, token in (("seller", "Ergon"), ("vault", "Watt")):
        both.send(who, token, "mint", WHO["anna"], 60)
        both.send(who, token, "mint", WHO["vault"], 60)
        both.send("vault", token, "burn", 60)
    for token in TOKENS:
        both.send("anna", token, "transfer", WHO["ben"], 20)
        both.send("anna", token, "approve", WHO["ben"], 10)
        both.send("ben", token, "transferFrom", WHO["anna"], WHO["carla"], 10)
        both.send("anna", token, "approve", WHO["ben"], 2**256 - 1)
        both.send("ben", token, "transferFrom", WHO["anna"], WHO["anna"], 10)
        signature = yard.sign("ben", token, "Permit", WHO["ben"], WHO["anna"], 5, 0, both.soon_s)
        both.send("carla", token, "permit", WHO["ben"], WHO["anna"], 5, both.soon_s, *vrs(signature))


def roles_rightly(both: Both) -> None:
    words, places = both.yard.words, both.yard.places
    for contract, function, args in (
        ("Ergon", "set_seller", (WHO["ben"], 9)),
        ("DeviceRegistry", "set_maker", (WHO["ben"], True)),
        ("Certificates", "set_issuer", (WHO["issuer"], False)),
        ("Certificates", "set_issuer", (WHO["issuer"], True)),
        ("Timelock", "name_guardian", (WHO["carla"],)),
        ("Timelock", "name_proposer", (WHO["anna"],)),
    ):
        call = (places[contract], words[contract].call(function, *args), bytes([both.soon_s % 251]) * 32)
        both.send("proposer", "Timelock", "schedule", *call)
        both.later(DELAY_S)
        both.send("ben", "Timelock", "execute", *call)
    other = (places["Ergon"], words["Ergon"].call("set_seller", WHO["ben"], 0), b"\2" * 32)
    for announced, by in ((other, "carla"), (other, "anna"), ((*call[:2], b"\2" * 32), "anna")):
        both.send("anna", "Timelock", "schedule", *announced)
        both.send(by, "Timelock", "cancel", *announced)
    for contract in GOVERNED:
        both.send("carla", contract, "pause")
        both.send("carla", contract, "resume")
    both.later(PAUSE_S)
    for contract in GOVERNED:
        both.send("carla", contract, "pause")


def devices_rightly(both: Both) -> None:
    yard, number = both.yard, bytes(32)
    (device,) = both.send("maker", "DeviceRegistry", "manufacture", number, WHO["device"]).answer
    signature = compact(yard.sign("device", "DeviceRegistry", "Claim", device, WHO["anna"], both.soon_s))
    both.send("carla", "DeviceRegistry", "claim", device, WHO["anna"], both.soon_s, signature)
    signed = [yard.sign(by, "DeviceRegistry", "Rotate", device, WHO["ben"], 0) for by in ("device", "ben")]
    both.send("anna", "DeviceRegistry", "rotate", device, WHO["ben"], *map(compact, signed))
    both.send("anna", "DeviceRegistry", "transfer", device, WHO["carla"])
    both.send("carla", "DeviceRegistry", "retire", device)


def certificates_rightly(both: Both) -> None:
    both.send("issuer", "Certificates", "issue", WHO["anna"], b"", 1, 60, b"sun")
    both.send("issuer", "Certificates", "batchIssue", WHO["anna"], [b"", b""], [1, 2], [60, 60], [b"wind", b"sun"])
    both.send("anna", "Certificates", "setApprovalForAll", WHO["ben"], True)
    for to in (WHO["anna"], WHO["carla"]):
        sent = (WHO["anna"], to)
        both.send("ben", "Certificates", "safeTransferFrom", *sent, 1, 10, b"told")
        both.send("ben", "Certificates", "safeTransferAndClaimFrom", *sent, 1, 10, b"", b"for me")
        both.send("ben", "Certificates", "safeBatchTransferFrom", *sent, [1, 2, 2], [1, 2, 3], b"")
        claims = [b"for", b"all of", b"us"]
        both.send("ben", "Certificates", "safeBatchTransferAndClaimFrom", *sent, [1, 2, 2], [1, 2, 3], b"", claims)
    both.send("anna", "Certificates", "setApprovalForAll", WHO["ben"], False)


def events_of(contract: str) -> list[tuple[str, str]]:
    """Return what a contract can log."""
    return [(contract, entry["name"]) for entry in artifact(contract).abi if entry["type"] == "event"]


def functions_of(contract: str) -> list[tuple[str, str]]:
    """Return what people can have a contract do, without what the Timelock alone can: it leaves events."""
    return [
        (contract, entry["name"])
        for entry in artifact(contract).abi
        if entry["type"] == "function"
        and entry["stateMutability"] == "nonpayable"
        and not entry["name"].startswith(("set_", "name_"))
    ]


@pytest.mark.parametrize("embedded", [False, True])
def test_every_function_and_event_comes_about_as_the_model_has_it(embedded: bool) -> None:
    both = Both(embedded)
    tokens_rightly(both)
    devices_rightly(both)
    certificates_rightly(both)
    roles_rightly(both)
    both.assert_alike()
    assert [one for one in both.happened if one[2] is not None] == []
    assert {event for contract in CONTRACTS for event in events_of(contract)} - BY_FINAL_STATES == both.logged.keys()
    done = {(contract, function) for contract, function, _ in both.happened}
    assert {one for contract in CONTRACTS for one in functions_of(contract)} - BY_FINAL_STATES == done


@pytest.mark.parametrize("embedded", [False, True])
def test_every_refusal_comes_about_in_the_models_words(embedded: bool) -> None:
    both = Both(embedded)
    tokens_wrongly(both)
    roles_wrongly(both)
    devices_wrongly(both)
    certificates_wrongly(both)
    both.assert_alike()
    found = {reason for _, _, reason in both.happened if reason} | constructed_wrongly()
    assert found == words_of(CONTRACTS) - ELSEWHERE - UNKNOWN


def test_a_certificate_that_was_never_issued_is_unknown() -> None:
    yard = Yard()
    with pytest.raises(AssertionError, match="certificates: unknown"):
        yard.ask("Certificates", "getCertificate", 1)
