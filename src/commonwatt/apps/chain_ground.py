"""Open a community's chain and the operator's keys for it; on first use both are made, and all contracts deployed."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from commonwatt.adapters.chains import deployment as deployments
from commonwatt.adapters.chains.deployment import Deployment, Terms
from commonwatt.adapters.chains.embedded.block_log import FILE
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.door import rpc_app
from commonwatt.adapters.chains.embedded.methods import Methods
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.chains.rpc import embedded, network
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_first
from commonwatt.apps.api.serving import server
from commonwatt.apps.chain_roles import ChainKeys
from commonwatt.apps.chain_terms import FILE as FILE_OF_TERMS
from commonwatt.apps.chain_terms import FOLDER, ChainTerms
from commonwatt.apps.observing.listener import LOOPBACK
from commonwatt.apps.publishing import address, listen
from commonwatt.flows.rulebook.tokens.crossed import Named
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.signing_in.wallet import read_address
from commonwatt.model import Refused

_COINS = 10**24
"""Of the embedded chain, where nothing costs any: wallets show that an account is there."""


def open_keys(folder: Path) -> ChainKeys:
    """Open the operator's keys for the chain, made at random on first use: encrypted, mode 0600.

    Raises:
        Refused: Others may read one.
    """
    keys = folder / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    words = passphrase(keys / "passphrase")

    def key(name: str) -> SigningKey:
        path = keys / f"{name}.pem"
        if not path.exists():
            save_first(path, SigningKey.generate().to_pem(words))
        return SigningKey.from_pem(load_secret(path), words)

    return ChainKeys(desk=key("chain"), seller=key("seller"), own=key("chain-own"))


@dataclass(frozen=True, slots=True)
class Ground:
    """A chain that is open, and where its contracts are; ``embedded`` where it runs in this process."""

    chain: EvmChain
    deployment: Deployment
    embedded: EmbeddedChain | None


def open_ground(
    folder: Path,
    community: str,
    terms: ChainTerms,
    key: SigningKey,
    doors: ExitStack,
    now_s: Callable[[], int],
    named: Callable[[], Named | None],
) -> Ground:
    """Open a community's chain; on first use it is founded, and all contracts are put on it.

    Args:
        folder: The community's.
        community: Its name.
        terms: Which chain.
        key: Pays for the contracts.
        doors: Closes what is opened here.
        now_s: The clock of the embedded chain, seconds since 1970.
        named: Tells which Vault the community's log names; asked before contracts are founded.

    Raises:
        Refused: Another process has the chain open, it is not the one of the deployment, or it takes no contract; the
            log names a Vault and no contract is known here; or two of three are one on a network, see `ChainTerms`.
        Corrupt: A file is damaged.
        Unreachable: The network gives no answer.
    """
    own = folder / FOLDER
    found = deployments.kept(own)
    told = _told(community, terms, key)
    if found is None and (before := named()) is not None:
        raise Refused(
            "contracts are founded once: what the log names was paid from, and would be paid from another again",
            chain_id=before.chain_id, vault=before.vault, missing=own / deployments.FILE,
        )  # fmt: skip
    own.mkdir(mode=0o700, exist_ok=True)
    inside: EmbeddedChain | None = None
    if terms.url is None:
        founded = (own / FILE).exists()
        genesis = None if founded else Genesis(time_s=now_s(), balances={key.id: _COINS})
        inside = doors.enter_context(EmbeddedChain(own, genesis, clock=now_s))
        chain = embedded(inside)
    else:
        chain = network(terms.url)
    if found is None:
        block = chain.head().number
        made = deployments.deploy(chain, key, told, fork=terms.fork)
        places = {name: contract.address for name, contract in made.items()}
        found = Deployment(origin=community, chain_id=chain.chain_id, fork=terms.fork, block=block, contracts=places)
        deployments.keep(own, found)
    if found.chain_id != chain.chain_id or found.origin != community:
        raise Refused(
            "contracts are this community's, on the chain that they were put on",
            chain_id=chain.chain_id, deployed_on=found.chain_id, deployed_for=found.origin,
        )  # fmt: skip
    return Ground(chain, found, inside)


def serve_rpc(chain: EmbeddedChain, port: int, doors: ExitStack) -> str:
    """Show a chain at a port on loopback from a thread of its own, and return where.

    Raises:
        OSError: The port is taken.
    """
    socket = doors.enter_context(listen(LOOPBACK, port))
    serving = server(rpc_app(Methods(chain), socket.getsockname()[1]))
    thread = threading.Thread(target=serving.run, args=([socket],), daemon=True)
    thread.start()

    def end() -> None:
        serving.should_exit = True
        thread.join(5)

    doors.callback(end)
    return address(socket)


def _told(community: str, terms: ChainTerms, key: SigningKey) -> Terms:
    """Return what contracts are told at their making.

    Raises:
        Refused: Two of proposer, guardian and treasury are one on a network: who has that key could take back what the
            other is to stop.
    """
    said = {"proposer": terms.proposer, "guardian": terms.guardian, "treasury": terms.treasury}
    parties = {name: key.id if address is None else read_address(address) for name, address in said.items()}
    if terms.url is not None and len(set(parties.values())) < len(parties):
        raise Refused("on a network proposer, guardian and treasury are three keys", file=FILE_OF_TERMS, **parties)
    return Terms(
        origin=community,
        proposer=parties["proposer"],
        guardian=parties["guardian"],
        treasury=parties["treasury"],
        delay_s=terms.roles_after_s,
        unbonding_s=terms.unbonding_s,
        exit_after_s=terms.exit_after_s,
        reward_micro=terms.reward_micro,
        least_bond_micro=terms.stake_micro,
    )
