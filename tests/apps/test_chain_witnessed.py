"""Where witnesses are registered, nothing is anchored before two thirds of them and their stake have signed."""

from pathlib import Path

import pytest
from watched import NAME, Watched, folder_of

from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.apps.chain_commands import bond
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_facts import Facts
from commonwatt.apps.chain_roles import sent
from commonwatt.apps.chain_terms import ChainTerms, want_embedded
from commonwatt.apps.witnessing import open_keys
from commonwatt.flows.chain_ports import Reverted
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.witness import WitnessKeys
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.ledger.checkpoint import read_note, split_note
from commonwatt.ledger.cosign import cosignature_line
from commonwatt.model import SLOT_SECONDS, Refused

START_S = 1_800_000_000
NAMES = ("anne.example", "bob.example", "carl.example")


def watch(tmp_path: Path) -> tuple[Watched, dict[str, WitnessKeys]]:
    keys = {name: open_keys(tmp_path / name, name) for name in NAMES}
    cards = tuple(Witness(note=one.word, public=one.signing.public.hex()) for one in keys.values())
    return folder_of(tmp_path / "town", cards), keys


def cosign(desk: ChainDesk, note: str, keys: WitnessKeys) -> None:
    point = read_note(note)
    typed = sign_checkpoint(
        keys.signing,
        origin=point.origin,
        epoch=point.slot_s // SLOT_SECONDS,
        size=point.size,
        log_root=point.log_root,
        state_root=point.state_root,
    )
    line = cosignature_line(split_note(note)[0], keys.name, keys.note.private, point.slot_s + SLOT_SECONDS)
    assert desk.publisher.take(point.size, line, typed) is not None


def look(folder: Path, note: str = "", by: tuple[WitnessKeys, ...] = ()) -> Facts:
    with ChainDesk(folder, NAME, ChainTerms()) as desk:
        for keys in by:
            cosign(desk, note, keys)
        return desk.look()


@pytest.mark.row("E14")
def test_two_thirds_of_the_stake_anchor_and_what_signed_without_stake_does_not_count(tmp_path: Path) -> None:
    town, keys = watch(tmp_path)
    folder, (anne, bob, carl) = tmp_path / "town", keys.values()
    want_embedded(folder)
    note = town.slot()
    first = look(folder, note, (anne, bob))
    assert not first.own_word and first.anchored_count == 0 and first.stage.startswith("too few")
    assert {one.name for one in first.stakes} == set(NAMES) and first.bonded_micro == 0
    staked = [bond(folder, tmp_path / name).stake_micro for name in NAMES]
    assert len(set(staked)) == 1 and staked[0] > 0
    with pytest.raises(Refused, match="stakes what it has"):
        bond(folder, tmp_path / NAMES[0])
    found = look(folder)
    assert found.final_size == read_note(note).size and found.anchored[0].weight == 2 * staked[0]
    assert found.bonded_micro == 3 * staked[0]
    second = town.slot()
    assert look(folder, second, (carl,)).anchored_count == 1, "a third of the weight makes nothing final"
    assert look(folder, second, (anne,)).anchored_count == 2


def test_nobody_is_given_a_stake_before_all_are_admitted(tmp_path: Path) -> None:
    """Or the first would stand for all of them."""
    _, keys = watch(tmp_path)
    folder, now_s, bob = tmp_path / "town", START_S, keys[NAMES[1]].signing
    want_embedded(folder)
    with ChainDesk(folder, NAME, ChainTerms(delay_s=3_600), lambda: now_s) as desk:
        chain, (tsl, lock, checkpoints) = (
            desk.ground.chain,
            map(desk.ground.deployment.contract, ("Tsl", "Timelock", "Checkpoints")),
        )

        def held() -> set[int]:
            return {chain.call(tsl, "balanceOf", (one.signing.id,)) for one in keys.values()}

        assert len(desk.look().waiting_roles) == 4, "the seller and three witnesses"
        announced = checkpoints.address, call_data(checkpoints.abi, "admit", (bob.id, True)), bytes(32)
        sent(chain, desk.keys.desk, lock, "cancel", announced)
        now_s += 7_200
        assert desk.look().waiting_roles == (f"admit {bob.id}",)
        assert held() == {0}
        now_s += 7_200
        assert desk.look().waiting_roles == ()
        assert held() == {ChainTerms().stake_micro}


def test_who_was_not_admitted_stakes_nothing(tmp_path: Path) -> None:
    watch(tmp_path)
    folder = tmp_path / "town"
    want_embedded(folder)
    look(folder)
    open_keys(tmp_path / "mallory", "mallory.example")
    with pytest.raises((Refused, Reverted)):
        bond(folder, tmp_path / "mallory")


def test_a_witness_that_moves_its_stake_away_is_given_no_other(tmp_path: Path) -> None:
    _, keys = watch(tmp_path)
    folder, anne, elsewhere = tmp_path / "town", next(iter(keys.values())).signing, "0x" + "7" * 40
    want_embedded(folder)
    look(folder)
    for kept in (True, False, False):
        with ChainDesk(folder, NAME, ChainTerms()) as desk:
            desk.look()
            chain, tsl = desk.ground.chain, desk.ground.deployment.contract("Tsl")
            held = chain.call(tsl, "balanceOf", (anne.id,))
            assert (held > 0) == kept
            if kept:
                sent(chain, anne, tsl, "transfer", (elsewhere, held))
