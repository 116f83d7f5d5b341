"""What a folder says of its chain is taken at its word, and nonsense is refused where it stands."""

from pathlib import Path

import pytest

from commonwatt.apps.chain_terms import FILE, chain_terms, want_embedded
from commonwatt.model import InvalidValue


def said(folder: Path, text: str) -> Path:
    (folder / FILE).write_text(text)
    return folder


def test_without_a_file_there_is_no_chain_and_what_is_said_first_stays(tmp_path: Path) -> None:
    assert chain_terms(tmp_path) is None
    want_embedded(tmp_path, 8545)
    told = chain_terms(tmp_path)
    assert told is not None and (told.kind, told.port, told.roles_after_s) == ("embedded", 8545, 1)
    want_embedded(tmp_path)
    assert chain_terms(tmp_path) == told


def test_a_network_gives_roles_after_two_days_unless_told_otherwise(tmp_path: Path) -> None:
    network = '[chain]\nkind = "network"\nurl = "http://localhost:8545"\nfork = "shanghai"\n'
    told = chain_terms(said(tmp_path, network))
    assert told is not None and told.roles_after_s == 2 * 86_400
    told = chain_terms(said(tmp_path, network + "delay_s = 5\n"))
    assert told is not None and told.roles_after_s == 5


@pytest.mark.parametrize(
    "text",
    [
        "chain = 1",
        "[chain",
        '[chain]\nkind = "network"',
        '[chain]\nurl = "http://x"',
        '[chain]\nfork = "shanghai"',
        '[chain]\nkind = "network"\nurl = "http://x"\nport = 8545',
        "[chain]\ndelay_s = 0",
        "[chain]\nceiling_micro = 0",
        '[chain]\nguardian = "0x12"',
        f'[chain]\ntreasury = "0x{20 * "aB"}"',
        "[chain]\nexit_after_s = 86400",
        '[chain]\nwallet = "x"',
    ],
)
def test_nonsense_is_refused_and_the_file_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidValue, match=FILE):
        chain_terms(said(tmp_path, text))
