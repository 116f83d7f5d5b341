"""Keep what people answered to what was proposed to them, so that nobody is asked twice; by hash: it is theirs."""

from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.model import AccountId, Corrupt

ANSWERED = "answered.json"
MOST_KEPT = 10_000
"""Answers of a folder; the oldest go first, and who is asked again after so many may say no again."""


class Word(StrEnum):
    """What is said of a fault beside yes or no to a visit."""

    MENDED = "mended"
    """It was repaired; from then on it is looked at anew."""
    AS_IT_IS = "as it is"
    """It stays so, and is no news until it is clearly worse."""


class Answer(msgspec.Struct, frozen=True):
    """Yes or no, when, and what time was accepted where one was proposed; seconds since 1970.

    Of a fault perhaps a word instead, with how far off it was then; ``by`` is the account of who said it.
    """

    accepted: bool
    at_s: int
    begins_s: int = 0
    word: Word | None = None
    off_permille: int = 0
    by: str = ""


class Answered:
    """The answers of one folder; of one process, and written at once.

    Args:
        folder: The community's.

    Raises:
        Corrupt: The file does not hold answers.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ANSWERED
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Answer])
        except FileNotFoundError:
            self._kept = {}
        except (msgspec.MsgspecError, ValueError) as error:
            raise Corrupt(f"{self._path} does not tell of answers: {error}") from error

    def of(self, account: AccountId, proposal: str) -> Answer | None:
        """Return what an account answered to a proposal; None where it did not."""
        return self._kept.get(_name(account, proposal))

    def take_back(self, account: AccountId, proposal: str) -> None:
        """Forget an answer; nothing happens where none was given."""
        self._drop(_name(account, proposal))

    def forget(self, account: AccountId) -> None:
        """Forget all answers of an account."""
        self._drop(_whose(account))

    def _drop(self, begins: str) -> None:
        kept = {known: before for known, before in self._kept.items() if not known.startswith(begins)}
        if kept != self._kept:
            save_secret(self._path, msgspec.json.encode(kept))
            self._kept = kept

    def keep(self, account: AccountId, proposal: str, answer: Answer) -> None:
        """Keep an answer, in place of one that was given before."""
        name = _name(account, proposal)
        kept = {known: before for known, before in self._kept.items() if known != name}
        kept[name] = answer
        kept = dict(list(kept.items())[-MOST_KEPT:])
        save_secret(self._path, msgspec.json.encode(kept))
        self._kept = kept


def _name(account: AccountId, proposal: str) -> str:
    return _whose(account) + sha256(f"{account}\n{proposal}".encode()).hexdigest()


def _whose(account: AccountId) -> str:
    """Return how the names of an account's answers begin, by which they are found when it is erased."""
    return sha256(f"answers of {account}".encode()).hexdigest()[:32]
