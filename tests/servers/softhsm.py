"""A security module in software, SoftHSM 2, with tokens in a folder of its own."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.started import leave_out

LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True)
class SoftToken:
    """One initialised token."""

    library: Path
    label: str
    pin: Path


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    program = shutil.which("softhsm2-util")
    library = next((Path(name) for name in LIBRARIES if Path(name).exists()), None)
    if program is None or library is None:
        leave_out(
            "NOTHING IS TESTED AGAINST A SECURITY MODULE: there is no SoftHSM 2, scripts/servers.sh install brings it"
        )
    assert program and library
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(config)
    pin = folder / "pin"
    pin.touch(0o600)
    pin.write_text(f"{secrets.randbelow(10**8):08}\n")
    words = ["--init-token", "--free", "--label", "ledger", "--so-pin", "12345678", "--pin", pin.read_text().strip()]
    subprocess.run([program, *words], check=True, capture_output=True, timeout=30)
    yield SoftToken(library, "ledger", pin)
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before
