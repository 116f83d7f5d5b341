"""Small days to archive, a master key, and blobs in a dict."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from commonwatt.adapters.stores.archive.blobs import Stored, check_content, check_folder, check_name, checked
from commonwatt.adapters.stores.archive.manifest import DayFacts
from commonwatt.adapters.stores.archive.tables import Columns
from commonwatt.model import CommunityId, Refused

STREET = CommunityId("street")
FIRST_DAY = date(2026, 4, 1)
MARK = "a-name-that-must-not-show"


class MasterKey:
    """Wraps data keys as RFC 3394 says."""

    def __init__(self, key: bytes = bytes(32)) -> None:
        self._key = key

    def wrap(self, key: bytes) -> bytes:
        return aes_key_wrap(self._key, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._key, wrapped)
        except InvalidUnwrap as error:
            raise Refused("the master key is another one") from error


class DictBlobs:
    """Blobs in memory, which count what is fetched."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.now_s = 1_000

    def put(self, name: str, data: bytes) -> None:
        check_content(name, data)
        self.kept[name] = data

    def get(self, name: str) -> bytes:
        check_name(name)
        self.fetched.append(name)
        if name not in self.kept:
            raise FileNotFoundError(name)
        return checked(name, self.kept[name])

    def exists(self, name: str) -> bool:
        return name in self.kept

    def list(self, folder: str) -> Iterator[Stored]:
        check_folder(folder)
        for name, data in list(self.kept.items()):
            if not folder or name.startswith(f"{folder}/"):
                yield Stored(name=name, size_bytes=len(data), written_s=self.now_s)

    def delete(self, name: str) -> None:
        self.kept.pop(name, None)


def facts_of(number: int = 0, leaves: int = 3, community: CommunityId = STREET) -> DayFacts:
    return DayFacts(
        community=community,
        day=FIRST_DAY + timedelta(days=number),
        first_position=number * leaves,
        last_position=(number + 1) * leaves - 1,
        log_root=f"{number:064x}",
        state_root=f"{number + 1:064x}",
    )


def tables_of(facts: DayFacts, readings: int = 5) -> dict[str, Columns]:
    chance = Random(facts.first_position)
    positions = range(facts.first_position, facts.last_position + 1)
    leaves = len(positions)
    return {
        "leaf": {
            "position": list(positions),
            "stamped_s": [900 * position for position in positions],
            "author": [MARK] * leaves,
            "seq": list(range(1, leaves + 1)),
            "owner": [MARK] * leaves,
            "outcome": ["BOOKED"] * leaves,
            "closes": [1] * leaves,
            "salt": [chance.randbytes(32) for _ in positions],
            "body": [b'{"body":"%d"}' % position for position in positions],
            "items": [b""] * leaves,
        },
        "entry": {
            "position": [0, 1],
            "commodity": ["ergon_micro", "watt_wh"],
            "source": [MARK, "mint"],
            "target": ["grid", MARK],
            "amount": [2**53 - 1, 1],
            "memo": ["trade", "charge"],
            "slot_s": [0, 900],
            "ref": ["", "3.1"],
        },
        "reading": {
            "position": list(range(readings)),
            "asset": [f"asset-{number}" for number in range(readings)],
            "start_s": [900 * number for number in range(readings)],
            "seconds": [900] * readings,
            "import_wh": [number * 10 for number in range(readings)],
            "export_wh": [0] * readings,
            "level_wh": [None if number % 2 else number for number in range(readings)],
            "quality": ["measured"] * readings,
        },
    }
