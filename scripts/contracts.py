"""Compile the contracts, or check that what is shipped is what their sources compile to.

python scripts/contracts.py install             bring Vyper into .vyper/
python scripts/contracts.py compile [NAME ...]  write artifacts of all contracts, or of these
python scripts/contracts.py check [NAME ...]    say which artifacts are missing, stale or for nothing; exit code 1

A contract is a file `Name.vy` with a capital, in src/commonwatt/adapters/chains/contracts, or in tests/adapters/chains/
hostile for those that attack; other files there are modules that contracts are built of, imported by their bare names.
Artifacts go to artifacts/{cancun,shanghai}/Name.json beside them, and are committed with their sources: the same
sources give the same bytes. Python reads them with `commonwatt.adapters.chains.contracts.artifact`.

`--tools FOLDER`, before all else, uses the environment there that has this very Vyper. It is no dependency, since it
needs an older cbor2 than webauthn does. Exit code 3: it cannot be had here, which is not the same as that all is well.
"""

import hashlib
import json
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "src" / "commonwatt" / "adapters" / "chains" / "contracts"
HOSTILE = ROOT / "tests" / "adapters" / "chains" / "hostile"
TOOLS = ROOT / ".vyper"
VYPER = "0.4.3"
FORKS = ("cancun", "shanghai")
FOUND, NOT_TO_BE_HAD = 1, 3
_IMPORT = re.compile(r"^\s*(?:import|from \. import) (\w+)", re.MULTILINE)


def main(words: Sequence[str]) -> int:
    """Do what the words say, and return the exit code."""
    tools = TOOLS
    if words[:1] == ["--tools"] and len(words) > 1:
        tools, words = Path(words[1]), words[2:]
    if not words or words[0] not in {"install", "compile", "check"}:
        sys.stdout.write(str(__doc__))
        return 2
    task, *names = words
    if not _ready(tools):
        sys.stderr.write(f"pip does not bring Vyper {VYPER}\n")
        return NOT_TO_BE_HAD
    if task == "install":
        return 0
    if task == "compile":
        for source in contracts(names):
            for fork in FORKS:
                place = _place(source, fork)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(made(tools, source, fork))
        return 0
    faults = list(check(tools, names))
    sys.stdout.write("\n".join(faults or ["every artifact is what its sources compile to"]) + "\n")
    return FOUND if faults else 0


def contracts(names: Sequence[str] = ()) -> list[Path]:
    """Return the sources of all contracts, or of those with these names."""
    found = [file for folder in (SHIPPED, HOSTILE) for file in sorted(folder.glob("[A-Z]*.vy"))]
    missing = set(names) - {file.stem for file in found}
    if missing:
        sys.exit(f"there is no contract {', '.join(sorted(missing))}")
    return [file for file in found if not names or file.stem in names]


def check(tools: Path, names: Sequence[str] = ()) -> Iterator[str]:
    """Tell all that is wrong with the artifacts of all contracts, or of these, and which are of none."""
    for source in contracts(names):
        for fork in FORKS:
            place = _place(source, fork)
            if not place.is_file():
                yield f"not compiled: {place.relative_to(ROOT)}"
            elif place.read_text() != made(tools, source, fork):
                yield f"not what its sources compile to: {place.relative_to(ROOT)}"
    wanted = {_place(source, fork) for source in contracts() for fork in FORKS}
    for folder in (SHIPPED, HOSTILE):
        for place in sorted(set(folder.glob("artifacts/*/*.json")) - wanted):
            yield f"of no contract: {place.relative_to(ROOT)}"


def made(tools: Path, source: Path, fork: str) -> str:
    """Return the text of a contract's artifact."""
    told = _run(
        tools, "vyper", "-f", "abi,bytecode,bytecode_runtime", "--evm-version", fork, "-p", str(SHIPPED), str(source)
    )
    if told.returncode:
        sys.exit(f"{source.name} does not compile:\n{told.stderr}")
    abi, bytecode, runtime = told.stdout.split("\n")[:3]
    plain = {
        "bytecode": bytecode.removeprefix("0x"),
        "compiler": _version(tools),
        "fork": fork,
        "name": source.stem,
        "runtime_bytes": len(runtime.removeprefix("0x")) // 2,
        "sources": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(sources(source))},
    }
    # A line an entry, so that a change of an interface can be read.
    entries = ",\n".join(json.dumps(entry, sort_keys=True) for entry in json.loads(abi))
    lines = [f'"abi": [\n{entries}\n]', *(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in plain.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def sources(source: Path) -> set[Path]:
    """Return the file and all modules of ours that it is built of."""
    found, left = set(), [source]
    while left:
        file = left.pop()
        found.add(file)
        for name in _IMPORT.findall(file.read_text()):
            near = [folder / f"{name}.vy" for folder in (file.parent, SHIPPED)]
            left += [one for one in near if one.is_file() and one not in found][:1]
    return found


def _ready(tools: Path) -> bool:
    if (tools / "bin" / "vyper").is_file() and _version(tools).startswith(f"{VYPER}+"):
        return True
    if tools != TOOLS:
        return False
    venv.create(tools, clear=True, with_pip=True)
    brought = _run(tools, "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", f"vyper=={VYPER}")
    return brought.returncode == 0


@cache
def _version(tools: Path) -> str:
    return _run(tools, "vyper", "--version").stdout.strip()


def _place(source: Path, fork: str) -> Path:
    return source.parent / "artifacts" / fork / f"{source.stem}.json"


def _run(tools: Path, program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  our own words
        [str(tools / "bin" / program), *words], capture_output=True, text=True, check=False, cwd=ROOT
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
