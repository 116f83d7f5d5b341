"""Reach a community's chain: open the embedded one, or ask whoever has it open; or a network's node."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.chains.rpc import embedded, network
from commonwatt.apps.chain_terms import FOLDER, RPC_CARD, ChainTerms
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
