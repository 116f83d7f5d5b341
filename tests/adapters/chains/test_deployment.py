"""All contracts of a community, put on a chain in one go."""

import re
from importlib.resources import files

import pytest

from commonwatt.adapters.chains.deployment import PAUSE_S, Terms, deploy
from commonwatt.model import InvalidValue
from on_chain import ALICE, OPERATOR, Ground

TERMS = Terms.of("tiny", OPERATOR.id)


def test_everything_is_there_and_knows_the_others() -> None:
    ground = Ground()
    made = deploy(ground.chain, ALICE, TERMS)
    assert all(ground.chain.code(contract.address) for contract in made.values())
    ask, vault = ground.ask, made["Vault"].address
    assert ask(made["Tsl"], "balanceOf", OPERATOR.id) == ask(made["Tsl"], "totalSupply") == 10**15
    assert ask(made["Watt"], "vault") == ask(made["Ergon"], "vault") == vault
    for name in ("Ergon", "Vault", "Checkpoints", "DeviceRegistry", "Certificates", "Channel"):
        assert ask(made[name], "timelock") == made["Timelock"].address
    assert ask(made["Timelock"], "proposer") == OPERATOR.id
    assert ALICE.id not in str([ask(made["Timelock"], role) for role in ("proposer", "guardian")])


def test_no_contract_is_left_out() -> None:
    sources = files("commonwatt.adapters.chains.contracts")
    written = {file.name[:-3] for file in sources.iterdir() if re.fullmatch(r"[A-Z]\w+\.vy", file.name)}
    assert set(deploy(Ground().chain, OPERATOR, TERMS)) == written


def test_who_was_interrupted_begins_anew() -> None:
    ground = Ground()
    first = deploy(ground.chain, OPERATOR, TERMS)
    second = deploy(ground.chain, OPERATOR, TERMS)
    assert not {one.address for one in first.values()} & {one.address for one in second.values()}


def test_a_pause_alone_opens_no_exit() -> None:
    made = deploy((ground := Ground()).chain, OPERATOR, TERMS)
    for name in ("Checkpoints", "Vault", "Ergon", "Channel"):
        assert ground.ask(made[name], "PAUSE_S") == PAUSE_S
    assert ground.ask(made["Vault"], "exit_after_s") >= 2 * PAUSE_S


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": ""},
        {"origin": "x" * 65},
        {"delay_s": -1},
        {"reward_micro": -1},
        {"least_bond_micro": 0},
        {"exit_after_s": 2 * PAUSE_S - 1},
    ],
)
def test_terms_that_cannot_be_are_refused(wrong: dict[str, str | int]) -> None:
    told = {"origin": "tiny", "proposer": OPERATOR.id, "guardian": OPERATOR.id, "treasury": OPERATOR.id}
    with pytest.raises(InvalidValue):
        Terms(**{**told, **wrong})  # type: ignore[arg-type]  # names are those of the class
