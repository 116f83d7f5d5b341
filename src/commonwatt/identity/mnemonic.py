"""Make and read the words that people write down, and derive keys from them.

Source: BIP-39 (words and seed), BIP-32 (derivation), BIP-44 with SLIP-44's 60 (the path of Ethereum's wallets).
"""

import re

from commonwatt.identity.keys import SigningKey
from commonwatt.identity.keystore import Words
from commonwatt.kernels.depth import bound_depth
from commonwatt.model import InvalidValue, Refused

COUNTS = (12, 15, 18, 21, 24)
_PATH = re.compile(r"m(/(\d{1,10})'?){1,10}")
_HARDENED = 2**31


def path(number: int = 0) -> str:
    """Return the path of the account of a number, from 0, as wallets show them one after the other."""
    return f"m/44'/60'/0'/0/{number}"


def new_words(count: int = 12) -> str:
    """Return words for a new wallet, from the machine's randomness; 12 stand for 128 bits, 24 for 256.

    Raises:
        InvalidValue: There are no so many words.
    """
    if count not in COUNTS:
        raise InvalidValue(f"there are {', '.join(map(str, COUNTS))} words, was {count}")
    # Here, and not above: it takes a second to load, which only who has words is to wait for.
    from eth_account.hdaccount import generate_mnemonic  # noqa: PLC0415
    from eth_account.types import Language  # noqa: PLC0415

    bound_depth()
    return generate_mnemonic(count, Language.ENGLISH)


def key_of(words: Words, passphrase: str = "") -> SigningKey:
    """Return the key at a path below words.

    Args:
        words: In any of BIP-39's languages; blanks and case do not count.
        passphrase: BIP-39's own, "the 25th word"; most people have none.

    Raises:
        Refused: The words are none, or their checksum is wrong: one was mistaken.
        InvalidValue: The path is none.
    """
    if not _PATH.fullmatch(words.path) or any(int(step) >= _HARDENED for step in re.findall(r"\d+", words.path)):
        raise InvalidValue(f"a path is like {path()}, was {words.path[:80]!r}")
    from eth_account.hdaccount import key_from_seed, seed_from_mnemonic  # noqa: PLC0415
    from eth_utils.exceptions import ValidationError  # noqa: PLC0415

    bound_depth()
    text = " ".join(words.text.split()).lower()
    rule = "a mnemonic is 12 to 24 words of BIP-39, whose checksum is right"
    if len(text.split()) not in COUNTS:
        raise Refused(rule, found=f"{len(text.split())} words")
    try:
        seed = seed_from_mnemonic(text, passphrase)
    except ValidationError:
        # Without its cause, which repeats the words.
        raise Refused(rule, found="others, or one is mistaken") from None
    return SigningKey(key_from_seed(seed, words.path))
