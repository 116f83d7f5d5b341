"""Hunt for inputs that break a decoder, guided by coverage: ``python hunt.py SECONDS TARGET ...`` (see `targets`).

Each target runs in a process of its own, forked once all modules are loaded and instrumented. A finding is printed
with the bytes that caused it; ``python hunt.py 0 TARGET BASE64`` runs these alone.
"""

import os
import sys
import tempfile
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

HANG_S = 10
"""No decoder needs as long for one input, not even instrumented and on a busy machine."""
KERNELS = [f"commonwatt.kernels.{path.stem}" for path in Path(__file__).parents[2].glob("src/commonwatt/kernels/*.py")]
COMPILED = [*KERNELS, "commonwatt.ledger.journal"]
FOLDERS = ("", "../flows", "../../src")


def main() -> None:
    sys.path[:0] = [str(Path(__file__).parent / folder) for folder in FOLDERS]
    seconds, names = int(sys.argv[1]), sys.argv[2:]
    if seconds == 0:
        import_module("targets").TARGETS[names[0]].run(b64decode(names[1]))
        return
    atheris = import_module("atheris")
    # What is compiled is loaded before: a compiler can make nothing of Python that is watched.
    with atheris.instrument_imports(include=["commonwatt"], exclude=COMPILED):
        targets = import_module("targets").TARGETS
    failed = []
    for name in names:
        child = os.fork()
        if not child:
            _hunt(name, targets[name], seconds)
        _, status = os.waitpid(child, 0)
        if status:
            failed.append(name)
            print(f"FOUND in {name}, status {status}", flush=True)
    sys.exit(1 if failed else 0)


def _hunt(name: str, target: Any, seconds: int) -> None:
    """Fuzz one target; libFuzzer ends the process itself, with 0 where nothing was found."""
    atheris = import_module("atheris")
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds()):
            (corpus / str(number)).write_bytes(seed)
        os.chdir(folder)  # a finding is left there, and printed
        limits = [f"-max_total_time={seconds}", f"-timeout={HANG_S}", "-rss_limit_mb=2048", "-max_len=20000"]
        quiet = ["-print_final_stats=1", "-verbosity=0", "-seed=1"]
        atheris.Setup(["hunt", *limits, *quiet, str(corpus)], partial(_run, name, target.run))
        atheris.Fuzz()
    os._exit(0)


def _run(name: str, run: Callable[[bytes], object], data: bytes) -> None:
    try:
        run(data)
    except BaseException:
        traceback.print_exc()
        print(f"python tests/fuzz/hunt.py 0 {name} {b64encode(data).decode()}", file=sys.stderr, flush=True)
        os._exit(77)


if __name__ == "__main__":
    main()
