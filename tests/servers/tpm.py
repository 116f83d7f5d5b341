"""A TPM 2.0 in software, swtpm, with a PKCS#11 token in it."""

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from servers.softhsm import SoftToken
from servers.started import Started, leave_out

PLACES = ("/usr/lib/*/libtpm2_pkcs11.so.1", "/usr/lib*/libtpm2_pkcs11.so.1", "/usr/lib*/pkcs11/libtpm2_pkcs11.so")
PORTS = range(21_000, 31_000, 2)
ROOM = ("--transient-object", "--loaded-session", "--saved-session")
_FLUSHED = """#!/bin/sh
PATH=${PATH#*:}
"$(basename "$0")" "$@"
code=$?
tpm2_flushcontext --transient-object
exit $code
"""


class Tpm(Started):
    """The chip, and the token; `env` is what programs have to know of it.

    A computer's kernel clears away what a program leaves in its TPM, which holds three keys at once; here nobody does,
    so that `make_room` is to be called when a program has ended.
    """

    def __init__(self) -> None:
        port = _two_free_ports()
        super().__init__("a TPM", "tpm", str(port))
        self.until_it_answers(lambda: socket.create_connection(("127.0.0.1", port + 1), 1).close(), OSError)
        (self.folder / "store").mkdir(0o700)
        reached = f"swtpm:host=127.0.0.1,port={port}"
        self.env = {
            "TPM2TOOLS_TCTI": reached,
            "TPM2_PKCS11_TCTI": reached,
            "TPM2_PKCS11_STORE": str(self.folder / "store"),
        }

    def token(self, label: str = "gateway") -> SoftToken:
        """Initialise a token, as an installer would."""
        library = next((path for place in PLACES for path in sorted(Path("/").glob(place[1:]))), None)
        if library is None:
            leave_out("NOTHING IS TESTED AGAINST A TPM: its PKCS#11 library is nowhere to be found")
        assert library
        pin = self.folder / "pin"
        pin.touch(0o600)
        pin.write_text(f"{secrets.randbelow(10**8):08}\n")
        path = ("--path", str(self.folder / "store"))
        self._ptool("init", *path)
        user = pin.read_text().strip()
        self._ptool("addtoken", "--pid=1", f"--label={label}", "--sopin=12345678", f"--userpin={user}", *path)
        return SoftToken(library, label, pin)

    def make_room(self) -> None:
        """Clear away what a program that has ended left in the chip."""
        for what in ROOM:
            subprocess.run(["tpm2_flushcontext", what], check=True, env={**os.environ, **self.env}, timeout=30)

    def _ptool(self, *words: str) -> None:
        """Run the tool, which itself runs others; each of those leaves something behind, too."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        for program in Path(shutil.which("tpm2_create") or "/usr/bin/tpm2_create").parent.glob("tpm2_*"):
            if program.name not in ("tpm2_ptool", "tpm2_flushcontext") and not (folder / program.name).exists():
                (folder / program.name).write_text(_FLUSHED)
                (folder / program.name).chmod(0o700)
        env = {**os.environ, **self.env, "PATH": f"{folder}:{os.environ['PATH']}"}
        done = subprocess.run(["tpm2_ptool", *words], capture_output=True, text=True, env=env, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        self.make_room()


@pytest.fixture(scope="session")
def tpm() -> Iterator[tuple[Tpm, SoftToken]]:
    """A TPM for the whole session, with a token; the programs that a test starts find it by themselves."""
    with Tpm() as chip:
        token = chip.token()
        before = {name: os.environ.get(name) for name in chip.env}
        os.environ.update(chip.env)
        yield chip, token
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _two_free_ports() -> int:
    """Return the lower of two ports of loopback that nobody listens on just now."""
    for _ in range(100):
        port = secrets.choice(PORTS)
        try:
            for one in (port, port + 1):
                with closing(socket.socket()) as taken:
                    taken.bind(("127.0.0.1", one))
        except OSError:
            continue
        return port
    raise RuntimeError("no two ports are free")
