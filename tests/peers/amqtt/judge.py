"""Runs the shared suite of all adapters on the devices behind a broker, with another broker than Mosquitto between."""

import atexit
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from servers import mosquitto

ROOT = Path(__file__).parents[3]
SUITE = ROOT / "tests/conformance/devices"
PEER = ROOT / ".peers/amqtt"
CONFIG = """
listeners: {{default: {{type: tcp, bind: "127.0.0.1:{port}"}}}}
plugins: {{amqtt.plugins.authentication.AnonymousAuthPlugin: {{allow_anonymous: true}}}}
"""


class Amqtt:
    """One broker for all tests, on a port of its own."""

    def __init__(self) -> None:
        self.port = mosquitto.free_port()
        config = PEER / "broker.yaml"
        config.write_text(CONFIG.format(port=self.port))
        with (PEER / "broker.log").open("ab") as log:
            process = subprocess.Popen([PEER / "bin/amqtt", "-c", config], stdout=log, stderr=log)
        atexit.register(process.kill)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("amqtt takes no connections")


def main() -> int:
    """Return pytest's exit code."""
    mosquitto.shared = cache(Amqtt)  # type: ignore[assignment]  # a port is all that the suite asks of it
    files = [str(SUITE / name) for name in ("test_devices.py", "test_fault_matrix.py")]
    behind = sys.argv[1] if len(sys.argv) > 1 else "tasmota or shelly or mqtt"
    return pytest.main([*files, "-k", behind, "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line"])


if __name__ == "__main__":
    sys.exit(main())
