"""Whatever anybody calls, the contracts do what their model in Python does: state, logs and refusals alike."""

import os
from typing import Any

import pytest
from contract_words import NOBODY, compact, mirrored, vrs
from contract_yard import DELAY_S, WHO
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from model_devices import device_id
from model_roles import FRESH_S, PAUSE_S
from model_tokens import ENDLESS, MOST, TSL_MICRO
from modelled_yard import GOVERNED, TOKENS, Both

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
EXAMPLES, STEPS = (300, 80) if NIGHTLY else (7, 40)
NUMBERS = tuple(bytes([number]) * 32 for number in range(3))

members = st.sampled_from(["anna", "ben", "carla"])
people = members | st.sampled_from(sorted(WHO))
tokens = st.sampled_from(TOKENS)
amounts = (
    st.integers(0, 9) | st.integers(0, 9) | st.integers(0, 90) | st.sampled_from([ENDLESS, MOST, TSL_MICRO, 10**15 - 1])
)
few = st.integers(0, 9)
soon = st.sampled_from([0, 1, 100, 10_000, 100_000])
certified = st.integers(1, 4)
flaws = st.sampled_from(["", "", "", "", "mirrored", "nobody", "other chain", "other nonce", "other signer"])


class Contracts(RuleBasedStateMachine):
    """People with and without roles who do all that can be done, rightly and wrongly."""

    embedded = False

    def __init__(self) -> None:
        super().__init__()
        self.both = Both(self.embedded)
        self.scheduled: list[tuple[bytes, bytes, bytes]] = []

    @initialize()
    def give_everybody_something(self) -> None:
        for who in ("anna", "ben", "carla", "vault"):
            self.both.send("seller", "Ergon", "mint", WHO[who], 60)
            self.both.send("vault", "Watt", "mint", WHO[who], 60)
            self.both.send("anna", "Tsl", "transfer", WHO[who], 60)
        self.both.send("maker", "DeviceRegistry", "manufacture", NUMBERS[0], WHO["device"])
        for who in ("anna", "ben", "carla"):
            self.both.send("issuer", "Certificates", "issue", WHO[who], b"", 1, 60, who.encode())

    @rule(seconds=st.sampled_from([1, DELAY_S - 1, DELAY_S, PAUSE_S, FRESH_S]))
    def let_time_pass(self, seconds: int) -> None:
        self.both.later(seconds)

    @rule(data=st.data(), who=people, token=tokens, amount=amounts)
    def transfer(self, data: st.DataObject, who: str, token: str, amount: int) -> None:
        self.both.send(who, token, "transfer", self.anyone(data), amount)

    @rule(data=st.data(), who=people, token=tokens, amount=amounts)
    def approve(self, data: st.DataObject, who: str, token: str, amount: int) -> None:
        self.both.send(who, token, "approve", self.anyone(data), amount)

    @rule(data=st.data(), who=members, owner=members, token=tokens, amount=amounts)
    def transfer_what_is_allowed(self, data: st.DataObject, who: str, owner: str, token: str, amount: int) -> None:
        if data.draw(st.booleans()):
            self.both.send(owner, token, "approve", WHO[who], data.draw(amounts))
        self.both.send(who, token, "transferFrom", WHO[owner], self.anyone(data), amount)

    @rule(who=people, owner=members, spender=members, token=tokens, amount=amounts, in_s=soon, flaw=flaws)
    def permit(self, who: str, owner: str, spender: str, token: str, amount: int, in_s: int, flaw: str) -> None:
        yard = self.both.yard
        nonce = self.both.contracts[token].nonces.get(WHO[owner], 0) + (flaw == "other nonce")
        # What is over one second ago comes about where time goes on between signing and sending.
        deadline = self.both.soon_s + in_s - (in_s == 1) * 2
        signed = yard.sign(
            "device" if flaw == "other signer" else owner,
            token,
            "Permit",
            *(WHO[owner], WHO[spender], amount, nonce, deadline),
            chain_id=yard.chain_id + (flaw == "other chain"),
        )
        parts = (29, *vrs(signed)[1:]) if flaw == "nobody" else vrs(mirrored(signed) if flaw == "mirrored" else signed)
        call = (who, token, "permit", WHO[owner], WHO[spender], amount, deadline, *parts)
        self.both.send(*call)
        assert self.both.send(*call).reason is not None

    @rule(data=st.data(), who=people, token=st.sampled_from(["Ergon", "Watt"]), amount=amounts)
    def mint(self, data: st.DataObject, who: str, token: str, amount: int) -> None:
        role = {"Ergon": "seller", "Watt": "vault"}[token]
        self.both.send(data.draw(st.sampled_from([who, role])), token, "mint", self.anyone(data), amount)

    @rule(who=people, total=amounts)
    def mint_sold(self, who: str, total: int) -> None:
        for by in (who, "seller", "seller"):
            self.both.send(by, "Ergon", "mint_sold", total)

    @rule(who=people, token=st.sampled_from(["Ergon", "Watt"]), amount=amounts)
    def burn(self, who: str, token: str, amount: int) -> None:
        self.both.send(who, token, "burn", amount)
        self.both.send("vault", token, "burn", amount)

    @rule(who=people, contract=st.sampled_from(GOVERNED), function=st.sampled_from(["pause", "resume"]))
    def pause(self, who: str, contract: str, function: str) -> None:
        self.both.send(who, contract, function)
        self.both.send("guardian", contract, function)

    @rule(data=st.data(), who=people, allowed=st.booleans(), waits=st.sampled_from([True, True, False]))
    def govern(self, data: st.DataObject, who: str, allowed: bool, waits: bool) -> None:
        contract, function, args = data.draw(
            st.sampled_from(
                [
                    ("Ergon", "set_seller", (WHO["ben"], 150 * allowed)),
                    ("DeviceRegistry", "set_maker", (WHO["ben"], allowed)),
                    ("Certificates", "set_issuer", (WHO["ben"], allowed)),
                    ("Certificates", "resume", ()),
                    ("Timelock", "name_guardian", (WHO["guardian"] if allowed else NOBODY,)),
                    ("Timelock", "name_proposer", (WHO["proposer"] if allowed else NOBODY,)),
                ]
            )
        )
        self.both.send(who, contract, function, *args)
        data_ = self.both.yard.words[contract].call(function, *args)
        place = self.both.yard.places[contract]
        target, told = data.draw(st.sampled_from([(place, data_)] * 6 + [(WHO["carla"], data_), (place, b"\1\2")]))
        announced = (target, told, bytes([data.draw(few)]) * 32)
        if self.both.send(
            data.draw(st.sampled_from(["proposer"] * 4 + [who])), "Timelock", "schedule", *announced
        ).answer:
            self.scheduled.append(announced)
        if waits:
            self.both.later(DELAY_S)
        never = (WHO["ben"], b"never", bytes(32))
        among = [*self.scheduled[-2:], *self.scheduled[-2:], never]
        self.both.send(who, "Timelock", "execute", *data.draw(st.sampled_from(among)))

    @rule(data=st.data(), who=st.sampled_from(["proposer", "guardian", "anna"]))
    def cancel(self, data: st.DataObject, who: str) -> None:
        calls = [*self.scheduled, (WHO["ben"], b"never", bytes(32))]
        self.both.send(who, "Timelock", "cancel", *data.draw(st.sampled_from(calls[-3:])))

    @rule(who=people, number=st.sampled_from(NUMBERS), key=people | st.none())
    def manufacture(self, who: str, number: bytes, key: str | None) -> None:
        self.both.send(who, "DeviceRegistry", "manufacture", number, WHO[key] if key else NOBODY)
        self.both.send("maker", "DeviceRegistry", "manufacture", number, WHO[key] if key else NOBODY)

    @rule(data=st.data(), who=people, owner=members, in_s=soon, flaw=flaws)
    def claim(self, data: st.DataObject, who: str, owner: str, in_s: int, flaw: str) -> None:
        device, yard = self.device(data), self.both.yard
        deadline = self.both.soon_s + in_s - (in_s == 1) * 2
        to = data.draw(st.sampled_from([WHO[owner]] * 5 + [NOBODY]))
        chain_id = yard.chain_id + (flaw == "other chain")
        by = owner if flaw == "other signer" else self.key_of(device)
        signed = yard.sign(by, "DeviceRegistry", "Claim", device, to, deadline, chain_id=chain_id)
        self.both.send(who, "DeviceRegistry", "claim", device, to, deadline, _flawed(signed, flaw))

    @rule(data=st.data(), who=members, key=people, flaw=flaws)
    def rotate(self, data: st.DataObject, who: str, key: str, flaw: str) -> None:
        device, yard = self.device(data), self.both.yard
        self.claim_for(who, device)
        found = self.both.contracts["DeviceRegistry"].devices.get(device)
        turn = (found.turn if found else 0) + (flaw == "other nonce")
        old, new = (
            yard.sign(by, "DeviceRegistry", "Rotate", device, WHO[key], turn) for by in (self.key_of(device), key)
        )
        if flaw == "other signer":
            new = old
        owners = [name for name, place in WHO.items() if found and place == found.owner]
        by = data.draw(st.sampled_from([*owners, *owners, who]))
        self.both.send(by, "DeviceRegistry", "rotate", device, WHO[key], _flawed(old, flaw), compact(new))

    @rule(data=st.data(), who=members, function=st.sampled_from(["transfer", "transfer", "retire"]))
    def hand_on(self, data: st.DataObject, who: str, function: str) -> None:
        args = (self.anyone(data),) if function == "transfer" else ()
        device = self.device(data)
        self.claim_for(who, device)
        self.both.send(who, "DeviceRegistry", function, device, *args)

    @rule(data=st.data(), who=people, amount=few, told=st.sampled_from([b"", b"a", b"b", b"c"]))
    def issue(self, data: st.DataObject, who: str, amount: int, told: bytes) -> None:
        by = data.draw(st.sampled_from([who, "issuer", "issuer"]))
        validity = data.draw(st.sampled_from([b"", b"", b"", b"call"]))
        self.both.send(by, "Certificates", "issue", self.anyone(data), validity, 1, amount, told)

    @rule(data=st.data(), who=people, told=st.lists(st.sampled_from([b"d", b"e", b"f"]), max_size=3), one_off=few)
    def issue_many(self, data: st.DataObject, who: str, told: list[bytes], one_off: int) -> None:
        many = len(told)
        topics = list(range(1, many + 1))
        parts: tuple[Any, ...] = ([b""] * (many + (one_off == 1)), topics, [5] * (many + (one_off == 2)), told)
        by = data.draw(st.sampled_from([who, "issuer", "issuer"]))
        self.both.send(by, "Certificates", "batchIssue", self.anyone(data), *parts)

    @rule(who=members, operator=members | st.none(), allowed=st.booleans())
    def let_operate(self, who: str, operator: str | None, allowed: bool) -> None:
        place = WHO[operator] if operator else NOBODY
        self.both.send(who, "Certificates", "setApprovalForAll", place, allowed)

    @rule(data=st.data(), who=members, owner=members, number=certified, amount=few, claims=st.booleans())
    def move_certificates(
        self, data: st.DataObject, who: str, owner: str, number: int, amount: int, claims: bool
    ) -> None:
        function, more = ("safeTransferAndClaimFrom", (b"for me",)) if claims else ("safeTransferFrom", ())
        to = data.draw(members.map(WHO.__getitem__) | st.just(NOBODY))
        self.both.send(who, "Certificates", function, WHO[owner], to, number, amount, b"", *more)
        self.both.send(owner, "Certificates", function, WHO[owner], to, number, amount, b"", *more)

    @rule(data=st.data(), owner=members, each=st.lists(st.tuples(certified, few), max_size=3), claims=st.booleans())
    def move_many(self, data: st.DataObject, owner: str, each: list[tuple[int, int]], claims: bool) -> None:
        numbers, many = [number for number, _ in each], [amount for _, amount in each]
        if each and data.draw(st.integers(0, 5)) == 0:
            many.pop()
        function, more = "safeBatchTransferFrom", list[list[bytes]]()
        if claims:
            function, more = "safeBatchTransferAndClaimFrom", [[b"me"] * len(each)]
        to = data.draw(members.map(WHO.__getitem__))
        self.both.send(owner, "Certificates", function, WHO[owner], to, numbers, many, b"", *more)

    def teardown(self) -> None:
        self.both.assert_alike()

    def claim_for(self, who: str, device: bytes) -> None:
        """Have a device say whose it is, if it can."""
        deadline = self.both.soon_s
        signature = self.both.yard.sign(self.key_of(device), "DeviceRegistry", "Claim", device, WHO[who], deadline)
        self.both.send(who, "DeviceRegistry", "claim", device, WHO[who], deadline, compact(signature))

    def anyone(self, data: st.DataObject) -> bytes:
        """Return somebody's address, seldom a contract's or nobody's."""
        places = [*WHO.values()] * 2 + [NOBODY, *(self.both.yard.places[name] for name in TOKENS)]
        return data.draw(st.sampled_from(places))

    def device(self, data: st.DataObject) -> bytes:
        """Return a device's id, entered or not."""
        known = [*self.both.contracts["DeviceRegistry"].devices] * 4
        found: bytes = data.draw(st.sampled_from([*known, device_id(WHO["maker"], NUMBERS[-1])]))
        return found

    def key_of(self, device: bytes) -> str:
        """Return whose key a device has."""
        found = self.both.contracts["DeviceRegistry"].devices.get(device)
        return next(name for name, place in WHO.items() if place == found.key) if found else "device"


def _flawed(signature: bytes, flaw: str) -> bytes:
    if flaw == "nobody":
        return bytes(64)
    if flaw == "other nonce":
        return compact(signature)[:63]
    return compact(signature)


class OnTheEmbeddedChain(Contracts):
    """The same in blocks, with signed transactions."""

    embedded = True


@pytest.mark.parametrize("machine", [Contracts, OnTheEmbeddedChain])
def test_contracts_do_what_their_model_does(machine: type[Contracts]) -> None:
    how = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    run_state_machine_as_test(machine, settings=how)
