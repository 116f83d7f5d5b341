"""A member keeps the operator's promise, and can show by two commands that it was broken: and only where it was."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from community import NAME, NOON, Community, key
from door_client import NOTE, found_folder, give
from test_door_kept import Kept, command, until
from watched import trust

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.asking import keep_receipt, state_of
from commonwatt.flows.receipts import Receipt, give_receipt
from commonwatt.model import SLOT_SECONDS, CommunityId, InvalidValue, Refused

pytestmark = pytest.mark.row("E4")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[Path, Kept]]:
    folder = tmp_path / "town"
    found_folder(folder)
    save_secret(folder / "keys" / "anna.pem", key("anna").to_pem(b"open"))
    (folder / "community.pub").write_text(trust(()))
    with ExitStack() as doors:
        door = Kept(folder).open()
        doors.callback(door.close)
        yield folder, door


def promise(wire: bytes, stands_by: int) -> Receipt:
    return give_receipt(key("operator"), CommunityId(NAME), [wire], NOON + 1, stands_by)


def test_a_promise_that_is_kept_makes_no_claim(town: tuple[Path, Kept], tmp_path: Path) -> None:
    folder, door = town
    kept = tmp_path / "receipt.json"
    order = ("order", folder, "anna", "buy", 50, "0.10", "--receipt", kept, "--port", door.port)
    assert command(*order).endswith("BOOKED\n")
    assert json.loads(kept.read_text())["receipt"]["community"] == NAME
    assert oct(kept.stat().st_mode)[-3:] == "600"
    before = len(door.notes())
    door.now_s += SLOT_SECONDS
    until(lambda: len(door.notes()) > before)
    with pytest.raises(Refused, match="a promise was kept: position"):
        command("claim", folder, kept, "--out", tmp_path / "claim.json")
    assert not (tmp_path / "claim.json").exists()


def test_a_request_that_was_held_back_is_claimed_and_convicts(town: tuple[Path, Kept], tmp_path: Path) -> None:
    folder, door = town
    wire = give(Community(), state_of(folder).keys.next_seq(key("anna").id))
    keep_receipt(tmp_path / "receipt.json", [wire], promise(wire, 0))
    before = len(door.notes())
    door.now_s += SLOT_SECONDS
    until(lambda: len(door.notes()) > before)
    out = tmp_path / "claim.json"
    said = command("claim", folder, tmp_path / "receipt.json", "--out", out)
    assert said == f"0 {out}: a broken promise is proven, see commonwatt verify\n"
    assert command("verify", out, "--trust", folder / "community.pub")[0] == "3", "a broken promise is proven"


def test_what_is_no_receipt_or_names_no_request_is_refused(town: tuple[Path, Kept], tmp_path: Path) -> None:
    folder, _ = town
    path = tmp_path / "receipt.json"
    for wrong in ("", "[]", '{"receipt": 1, "wires": []}', "{" * 4_000):
        path.write_text(wrong)
        with pytest.raises(InvalidValue, match="is no receipt"):
            command("claim", folder, path)
    wire = give(Community(), 6, 1_000)
    keep_receipt(path, [wire], promise(wire, 0))
    with pytest.raises(InvalidValue, match="for 1 requests"):
        command("claim", folder, path, "--index", 1)
    assert NOTE.public
