"""Where a chain can be, each behind the same few handles, so that one suite tells the same of all.

`make test` has the embedded chain, in this process and through its door. COMMONWATT_CHAIN names another by URL; then
COMMONWATT_CHAIN_KEY is the secret of an account there with coins, in hex, and COMMONWATT_CHAIN_FINAL_S how long the
network takes to finality at most.
"""

import os
import threading
from pathlib import Path
from typing import Protocol

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.door import rpc_app
from commonwatt.adapters.chains.embedded.methods import Methods
from commonwatt.adapters.chains.rpc import network
from commonwatt.apps.api.serving import server
from commonwatt.apps.publishing import listen
from commonwatt.flows.chain_ports import Chain
from commonwatt.identity.keys import SigningKey
from on_chain import GENESIS, OPERATOR, Ground

GIVEN = 10**18


class Place(Protocol):
    """A chain, somebody there with coins, and how patient one has to be."""

    chain: Chain
    rich: SigningKey
    within_s: float
    final_within_s: float

    def again(self) -> Chain:
        """Return the port anew, as after a restart of whoever holds it."""


class EmbeddedPlace:
    within_s = 0.0
    final_within_s = 0.0

    def __init__(self, folder: Path) -> None:
        self._ground = Ground(folder, GENESIS)
        self.chain: Chain = self._ground.chain
        self.rich = OPERATOR

    def again(self) -> Chain:
        self._ground.embedded.close()
        self._ground.__post_init__()
        self.chain = self._ground.chain
        return self.chain

    def close(self) -> None:
        self._ground.embedded.close()


class NetworkPlace:
    within_s = 60.0

    def __init__(self, url: str) -> None:
        self._url = url
        self.chain: Chain = network(url)
        self.rich = SigningKey(bytes.fromhex(os.environ["COMMONWATT_CHAIN_KEY"]))
        self.final_within_s = float(os.environ["COMMONWATT_CHAIN_FINAL_S"])

    def again(self) -> Chain:
        self.chain = network(self._url)
        return self.chain

    def close(self) -> None:
        pass


class DoorPlace:
    """The embedded chain as a wallet sees it: through its door, over HTTP."""

    within_s = 0.0
    final_within_s = 0.0

    def __init__(self, folder: Path) -> None:
        self._embedded = EmbeddedChain(folder, GENESIS)
        self.rich = OPERATOR
        self._socket = listen("127.0.0.1", 0)
        port = self._socket.getsockname()[1]
        self._server = server(rpc_app(Methods(self._embedded), port))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        self._url = f"http://127.0.0.1:{port}"
        self.chain: Chain = self.again()

    def again(self) -> Chain:
        self.chain = network(self._url)
        return self.chain

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._embedded.close()


PLACES = ["network"] if os.environ.get("COMMONWATT_CHAIN") else ["embedded", "door"]


def place_at(name: str, folder: Path) -> EmbeddedPlace | DoorPlace | NetworkPlace:
    if name == "network":
        return NetworkPlace(os.environ["COMMONWATT_CHAIN"])
    return EmbeddedPlace(folder) if name == "embedded" else DoorPlace(folder)
