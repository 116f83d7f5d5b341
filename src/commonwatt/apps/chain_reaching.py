"""Reach a community's chain: open the embedded one, or ask whoever has it open; or a network's node."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from commonwatt.adapters.chains.deployment import Deployment, kept
from commonwatt.adapters.chains.embedded.block_log import FILE as CHAIN_FILE
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.chains.rpc import embedded, network
from commonwatt.apps.chain_terms import FOLDER, RPC_CARD, ChainTerms, chain_terms
from commonwatt.model import Refused


@contextmanager
def reached_chain(
    folder: Path, terms: ChainTerms, word: Callable[[str], None] = lambda line: None
) -> Iterator[EvmChain]:
    """Reach a chain as long as the block runs.

    Args:
        folder: The community's.
        terms: Which chain it has.
        word: Told how it goes on where a long chain is checked while it is opened.

    Raises:
        Refused: Another process has the embedded chain open and shows it nowhere.
        Corrupt: It is damaged.
        Unreachable: The node, or whoever has it open, gives no answer.
    """
    if terms.url is not None:
        yield network(terms.url)
        return
    with ExitStack() as doors:
        try:
            chain = embedded(doors.enter_context(EmbeddedChain(folder / FOLDER, word=word)))
        except Refused:
            card = folder / FOLDER / RPC_CARD
            if not card.exists():
                raise
            chain = network(msgspec.json.decode(card.read_bytes(), type=str))
        yield chain


@contextmanager
def contracts_at(
    place: str, folder: Path | None, word: Callable[[str], None] = lambda line: None
) -> Iterator[tuple[EvmChain, Deployment, Path]]:
    """Reach a community's contracts by what a person says of them, as long as the block runs; gives their folder too.

    Args:
        place: A node's URL; or a community's folder, or that of its chain.
        folder: The community's, for a URL: where it is remembered which contracts are its own.
        word: As in `reached_chain`.

    Raises:
        Refused: There is no chain there or no contract on it, another process has it open, or it is another chain than
            the contracts are on.
        InvalidValue: The folder does not say properly which chain it has.
        Corrupt: The chain or what is remembered of its contracts is damaged.
        Unreachable: The node gives no answer.
    """
    url = place.startswith(("http://", "https://"))
    home = folder if url else Path(place)
    if home is None:
        raise Refused("which contracts are a community's stands in its folder: say --folder beside a URL", chain=place)
    home = home.parent if (home / CHAIN_FILE).exists() and not (home / FOLDER).exists() else home
    deployment = kept(home / FOLDER)
    if deployment is None:
        raise Refused("a community's folder remembers where its contracts are", folder=home)
    if url:
        terms = ChainTerms(kind="network", url=place)
    else:
        terms = chain_terms(home) or ChainTerms()
        if terms.url is None and not (home / FOLDER / CHAIN_FILE).exists():
            raise Refused("a chain is a node's URL, or a folder with an embedded chain", folder=home)
    with reached_chain(home, terms, word) as chain:
        if chain.chain_id != deployment.chain_id:
            raise Refused("contracts are on one chain", expected=deployment.chain_id, found=chain.chain_id)
        yield chain, deployment, home
