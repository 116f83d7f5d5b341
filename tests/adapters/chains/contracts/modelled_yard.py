"""The contracts and their model side by side: whatever is done is done to both, and has to come out alike."""

from collections import Counter
from typing import Any

from contract_words import Outcome
from contract_yard import CEILING, DELAY_S, DOMAINS, SELL_PERIOD_S, WHO, Yard
from embedded_machine import Embedded
from model_certificates import Certificates
from model_devices import DeviceRegistry
from model_roles import Timelock
from model_tokens import TSL_MICRO, Ergon, Token, Tsl, Watt
from model_world import World

TOKENS = ("Tsl", "Ergon", "Watt")
CONTRACTS = ("Timelock", *TOKENS, "DeviceRegistry", "Certificates")
GOVERNED = ("Ergon", "DeviceRegistry", "Certificates")


class Both:
    """A yard and a world that begin alike.

    Args:
        embedded: Whether the yard is on the embedded chain; there a second goes by with each transaction.
    """

    def __init__(self, embedded: bool = False) -> None:
        self._tick_s = int(embedded)
        yard = self.yard = Yard(Embedded() if embedded else None, tick_s=self._tick_s)
        self.world = World(yard.places, yard.words, DOMAINS, yard.chain_id, yard.now_s)
        self.world.add("Timelock", Timelock, DELAY_S, WHO["proposer"], WHO["guardian"])
        self.world.add("Tsl", Tsl, WHO["anna"])
        self.world.add("Ergon", Ergon, WHO["vault"], SELL_PERIOD_S)
        self.world.add("Watt", Watt, WHO["vault"])
        self.world.add("DeviceRegistry", DeviceRegistry)
        self.world.add("Certificates", Certificates)
        self.contracts["Ergon"].sellers[WHO["seller"]] = (CEILING, 0, 0)
        self.contracts["DeviceRegistry"].makers.add(WHO["maker"])
        self.contracts["Certificates"].issuers.add(WHO["issuer"])
        self.happened: Counter[tuple[str, str, str | None]] = Counter()
        """How often which function came to what: a refusal, or None."""
        self.logged: Counter[tuple[str, str]] = Counter()
        """How often which event was logged."""

    @property
    def contracts(self) -> dict[str, Any]:
        """The modelled contracts."""
        return self.world.contracts

    def send(self, who: str, contract: str, function: str, *args: Any) -> Outcome:
        """Do something to both; it is refused by both with the same words, or logs and answers the same."""
        self.later(0)
        expected = self.world.send(WHO[who], contract, function, *args)
        found = self.yard.send(who, contract, function, *args)
        assert found == expected, (contract, function, args)
        self.happened[contract, function, found.reason] += 1
        self.logged.update((event.contract, event.name) for event in found.events)
        return found

    def later(self, seconds: int) -> None:
        """Let time pass for both."""
        self.yard.later(seconds)
        self.world.now_s = self.soon_s

    @property
    def soon_s(self) -> int:
        """When the next transaction will be run."""
        return self.yard.now_s + self._tick_s

    def assert_alike(self) -> None:
        """Compare all state that can be asked for: so supply is what is held, and TSL is what it always was."""
        ask = self.yard.ask
        for name in TOKENS:
            token: Token = self.contracts[name]
            assert ask(name, "totalSupply") == sum(token.balances.values())
            assert name != "Tsl" or ask(name, "totalSupply") == TSL_MICRO
            for who, amount in token.balances.items():
                assert ask(name, "balanceOf", who) == amount
            for pair, amount in token.allowed.items():
                assert ask(name, "allowance", *pair) == amount
            for who, nonce in token.nonces.items():
                assert ask(name, "nonces", who) == nonce
        assert ask("Ergon", "sold") == self.contracts["Ergon"].sold
        for name in GOVERNED:
            assert ask(name, "paused") == self.contracts[name].paused
            assert ask(name, "paused_until") == self.contracts[name].paused_until
        self._assert_roles()
        for device, found in self.contracts["DeviceRegistry"].devices.items():
            stands = (found.maker, found.key, found.owner, found.turn, found.retired)
            assert ask("DeviceRegistry", "devices", device) == stands
        self._assert_certificates()

    def _assert_roles(self) -> None:
        ask, timelock = self.yard.ask, self.contracts["Timelock"]
        assert (ask("Timelock", "proposer"), ask("Timelock", "guardian")) == (timelock.proposer, timelock.guardian)
        for call, due in timelock.due.items():
            assert ask("Timelock", "due_s", call) == due
        for contract, roles in (("DeviceRegistry", "makers"), ("Certificates", "issuers")):
            for who in WHO.values():
                assert ask(contract, roles, who) == (who in getattr(self.contracts[contract], roles))
        for who in WHO.values():
            assert ask("Ergon", "sellers", who) == self.contracts["Ergon"].sellers.get(who, (0, 0, 0))

    def _assert_certificates(self) -> None:
        ask, model = self.yard.ask, self.contracts["Certificates"]
        assert ask("Certificates", "count") == len(model.certificates)
        for number, one in model.certificates.items():
            stands = (one.issuer, one.topic, one.validity_data, one.data)
            assert ask("Certificates", "getCertificate", number) == stands
        for function, held in (("balanceOf", model.balances), ("claimedBalanceOf", model.claimed)):
            for (number, who), amount in held.items():
                assert ask("Certificates", function, who, number) == amount
        for owner, operator in model.approved:
            assert ask("Certificates", "isApprovedForAll", owner, operator)
