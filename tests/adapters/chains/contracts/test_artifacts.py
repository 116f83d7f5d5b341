"""What is shipped is what the sources say, for both forks, and nothing in it needs a compiler."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from contract_yard import Yard

import commonwatt.adapters.chains.contracts
from commonwatt.adapters.chains.contracts.artifact import Fork, artifact, shipped
from commonwatt.model import InvalidValue

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
ROOT = Path(__file__).parents[4]
SCRIPT = ROOT / "scripts" / "contracts.py"
HERE = Path(commonwatt.adapters.chains.contracts.__file__).parent
NAMES = shipped()
FORKS: tuple[Fork, ...] = ("cancun", "shanghai")
MOST_BYTES = 24_576
"""EIP-170."""
MOST_WORDS = 32
"""Of a contract's immutables: what is added to its code where it is deployed."""
NOT_TO_BE_HAD = 3


def test_what_is_shipped_is_what_has_a_source() -> None:
    assert sorted(file.stem for file in HERE.glob("[A-Z]*.vy")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_is_shipped_for_both_forks_from_the_sources_that_are_here(name: str) -> None:
    found = [artifact(name, fork) for fork in FORKS]
    for one, fork in zip(found, FORKS, strict=True):
        assert (one.name, one.fork) == (name, fork)
        assert f"{name}.vy" in one.sources
        for file, digest in one.sources.items():
            assert hashlib.sha256((HERE / file).read_bytes()).hexdigest() == digest, file
        assert one.runtime_bytes + 32 * MOST_WORDS <= MOST_BYTES
    assert found[0].abi == found[1].abi


@pytest.mark.parametrize("fork", FORKS)
def test_code_on_a_chain_is_known_as_the_contracts_and_as_no_others(fork: Fork) -> None:
    yard = Yard(fork=fork)
    codes = {name: yard.machine.code(place) for name, place in yard.places.items()}
    for name, code in codes.items():
        made = artifact(name, fork)
        assert [other for other, found in codes.items() if made.runs(found)] == [name]
        assert not made.runs(code[:-1]) and not made.runs(code[: made.runtime_bytes - 1]) and not made.runs(b"")
        bent = bytearray(code)
        bent[made.runtime_bytes // 2] ^= 1
        assert not made.runs(bytes(bent))


@pytest.mark.parametrize("name", ["Nothing", "ergon", "", "../cancun/Ergon", "Ergon.json"])
def test_what_is_no_contract_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="there is no contract"):
        artifact(name)


def test_every_artifact_is_what_its_sources_compile_to() -> None:
    # All of them take half a minute. Those that are not compiled here are of sources that did not change.
    names = [] if NIGHTLY else ["Watt"]
    told = subprocess.run([sys.executable, SCRIPT, "check", *names], capture_output=True, text=True, check=False)
    if told.returncode == NOT_TO_BE_HAD:
        pytest.skip(f"NOT COMPILED: {told.stderr.strip()}")
    assert (told.returncode, told.stdout) == (0, "every artifact is what its sources compile to\n"), told.stderr


def test_a_contract_is_of_all_modules_that_it_imports_and_of_no_others() -> None:
    spec = importlib.util.spec_from_file_location("commonwatt_contracts_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    named = {file.name for file in script.sources(HERE / "Ergon.vy")}
    assert {"Ergon.vy", "governed.vy", "token.vy", "signed.vy"} <= named
    assert "multi_token.vy" not in named


def test_sources_and_artifacts_are_in_the_package_that_is_installed(tmp_path: Path) -> None:
    # Built as `pip install` does it; without them nobody could deploy or check anything.
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], check=True, capture_output=True, text=True
    ).stdout
    folder = "commonwatt/adapters/chains/contracts"
    for name in NAMES:
        assert f"{folder}/{name}.vy" in listed
        for fork in FORKS:
            assert f"{folder}/artifacts/{fork}/{name}.json" in listed
