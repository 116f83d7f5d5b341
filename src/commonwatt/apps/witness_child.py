"""Where a gateway has storage it also watches the log: the community's witness as its child, restarted and bounded."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.apps.witnessing import Looked
from commonwatt.model import Asset

FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 600.0
"""After a crash it is started again; each time that it did not come to cosign anything the wait doubles."""
STOPPED_WITHIN_S = 15
FRAUD_PROVEN = 3
"""Its exit code then, see `commonwatt witness`: it gives its word no more, and is not started again."""
_MOST_LINE_BYTES = 1_000_000
# It ends with us even where we are killed: its standard input ends then. One thread, so that devices are not kept
# waiting on a small box.
_PROGRAM = """
import os, signal, threading
os.nice({nice})
def end():
    while os.read(0, 4096):  # not sys.stdin: its lock, held by a thread at the end, would abort the interpreter
        pass
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=end, daemon=True).start()
from commonwatt.apps.cli.main import main
main()
"""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


class WitnessTerms(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What ``[witness]`` of a gateway's configuration says.

    Args:
        log: Where the log is served.
        name: The witness's, on first use.
        trust: File with the community's public keys; else those that the log tells of itself are taken on first use.
        peers: Where other witnesses serve.
        every_s: Between two looks.
        nice: By how much devices go before it, 0 to 19.
    """

    log: Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=1_000)]
    name: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    trust: Annotated[str, Meta(min_length=1, max_length=1_000)] | None = None
    peers: Annotated[
        list[Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=1_000)]], Meta(max_length=50)
    ] = []
    every_s: Annotated[float, Meta(ge=0.05, le=86_400)] = 30
    nice: Annotated[int, Meta(ge=0, le=19)] = 10


async def keep_witness(
    folder: Path,
    terms: WitnessTerms,
    assets: Iterable[Asset],
    stop: asyncio.Event,
    *,
    on_look: Callable[[Looked], None] = lambda looked: None,
    on_start: Callable[[int], None] = lambda pid: None,
    first_wait_s: float = FIRST_WAIT_S,
) -> None:
    """Run the community's witness beside a gateway that has storage, until told to stop (row E14).

    It returns at once where nothing behind the gateway stores energy. What the witness does is its own affair: no
    trouble of it ends the gateway's, and it ends when the gateway ends, however that ends.

    Args:
        folder: The witness's own: its keys, its memory and the state that it reached.
        terms: The gateway's configuration.
        assets: All behind the gateway.
        stop: Set when it shall end.
        on_look: Told what comes of each look, and why it ended.
        on_start: Told the process's number.
        first_wait_s: Before it is started again for the first time.
    """
    if not any(asset.stores for asset in assets):
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wait_s = first_wait_s
    while not stop.is_set():
        code, cosigned = await _run(folder, terms, stop, on_look, on_start)
        if stop.is_set():
            return
        if code == FRAUD_PROVEN:
            on_look(Looked(trouble="fraud is proven: the witness gives its word no more, see fraud.json"))
            return
        wait_s = first_wait_s if cosigned else min(LONGEST_WAIT_S, wait_s * 2)
        on_look(Looked(trouble=f"the witness ended with {code}, it is started again in {wait_s:g} s"))
        try:
            async with asyncio.timeout(wait_s):
                await stop.wait()
        except TimeoutError:
            continue


async def _run(
    folder: Path,
    terms: WitnessTerms,
    stop: asyncio.Event,
    on_look: Callable[[Looked], None],
    on_start: Callable[[int], None],
) -> tuple[int, bool]:
    """Run it once, to its end or ours; return its exit code, and whether it cosigned anything."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _PROGRAM.format(nice=terms.nice), *_words(folder, terms)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **_ONE_THREAD},
        limit=_MOST_LINE_BYTES,
        start_new_session=True,  # an interruption at the keyboard reaches it through us alone
    )
    on_start(program.pid)
    hearing = asyncio.create_task(_hear(program, on_look))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({hearing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await _end(program)
    return program.returncode or 0, await hearing


async def _hear(program: asyncio.subprocess.Process, on_look: Callable[[Looked], None]) -> bool:
    """Pass on what it tells, line by line, until it tells no more; tell whether it cosigned anything."""
    assert program.stdout is not None
    cosigned = False
    while True:
        try:
            line = await program.stdout.readline()
        except ValueError:
            continue  # a line longer than any that it has reason to print
        if not line:
            return cosigned
        try:
            looked = msgspec.json.decode(line, type=Looked)
        except (msgspec.MsgspecError, ValueError):
            looked = Looked(trouble=line.decode(errors="replace").strip()[:1_000])
        cosigned = cosigned or looked.size is not None
        on_look(looked)


async def _end(program: asyncio.subprocess.Process) -> None:
    """Let it end in good order, and make it end where it does not."""
    if program.stdin is not None:
        program.stdin.close()
    try:
        async with asyncio.timeout(STOPPED_WITHIN_S):
            await program.wait()
    except TimeoutError:
        program.send_signal(signal.SIGKILL)
        await program.wait()


def _words(folder: Path, terms: WitnessTerms) -> list[str]:
    words = ["witness", terms.log, "--folder", str(folder), "--every", str(terms.every_s), "--json"]
    for option, value in (("--name", terms.name), ("--trust", terms.trust)):
        words += [option, value] if value is not None else []
    for peer in terms.peers:
        words += ["--peer", peer]
    return words
