"""What a served log gives to whom, read by a reader that knows nothing but the specification."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from community import NAME
from msgspec import structs
from watched import ANNE, BOB, CARDS, CARL, NOTE, Watched, card, trusted, witness

from commonwatt.adapters.stores.notes import NoteFile
from commonwatt.adapters.witness.translate import read_leaves
from commonwatt.apps.api.log import FOR_EVER, log_app
from commonwatt.apps.api.page import witnesses_page
from commonwatt.flows.handover import read_handed
from commonwatt.flows.publish import Publisher, Standing, Watching
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.witness import WitnessKeys
from commonwatt.identity.caller import TOLERANCE_S, sign_call
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.ledger.checkpoint import Checkpoint, split_note, verify_note
from commonwatt.ledger.cosign import cosignature_line, weight
from commonwatt.model import SLOT_SECONDS

NOW_S = 1_800_000_000


@dataclass
class Served:
    community: Watched
    publisher: Publisher

    def get(self, target: str, **headers: str) -> httpx.Response:
        return self.ask("GET", target, headers=headers)

    def ask(self, method: str, target: str, **words: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(log_app(self.publisher, lambda: NOW_S))
            async with httpx.AsyncClient(transport=transport, base_url="http://log") as client:
                return await client.request(method, target, **words)

        return asyncio.run(asked())

    def cosign(self, keys: WitnessKeys, size: int | None = None, **changed: object) -> httpx.Response:
        text = split_note(self.get("/checkpoint").text)[0]
        point = Checkpoint.parse(text)
        told = {
            "size": point.size if size is None else size,
            "line": cosignature_line(text, keys.name, keys.note.private, NOW_S),
            "typed": typed(keys, point),
        }
        return self.ask("POST", "/cosignature", content=json.dumps(told | changed).encode())


def typed(keys: WitnessKeys, point: Checkpoint) -> str:
    return sign_checkpoint(
        keys.signing,
        origin=point.origin,
        epoch=point.slot_s // SLOT_SECONDS,
        size=point.size,
        log_root=point.log_root,
        state_root=point.state_root,
    )


@pytest.fixture
def served(tmp_path: Path) -> Served:
    community = Watched()
    community.slot()
    return Served(community, Publisher(community.store, NoteFile(tmp_path / "notes.sqlite"), trusted()))


def read_log(get: Callable[[str], bytes]) -> tuple[int, bytes, list[bytes]]:
    """A reader of https://c2sp.org/tlog-tiles, from its text alone: size, root, and entries that lead to it."""

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    def path(n: int) -> str:
        digits = f"{n:03d}" if n < 1000 else f"x{n // 1000:03d}/{n % 1000:03d}"
        assert n < 1_000_000
        return digits

    def fetch(kind: str, n: int, width: int) -> bytes:
        return get(f"/tile/{kind}/{path(n)}" + (f".p/{width}" if width < 256 else ""))

    def merkle(row: list[bytes]) -> bytes:
        if len(row) == 1:
            return row[0]
        split = 1
        while split * 2 < len(row):
            split *= 2
        return node(merkle(row[:split]), merkle(row[split:]))

    origin, size_line, root_line = get("/checkpoint").decode().split("\n")[:3]
    assert origin == NAME
    size, root = int(size_line), base64.b64decode(root_line)
    rows, count, level = list[list[bytes]](), size, 0
    while count:
        row = b"".join(fetch(str(level), n, min(256, count - 256 * n)) for n in range((count + 255) // 256))
        rows.append([row[i : i + 32] for i in range(0, len(row), 32)])
        assert len(rows[-1]) == count
        count, level = count // 256, level + 1
    for below, above in pairwise(rows):
        assert above == [merkle(below[n : n + 256]) for n in range(0, len(above) * 256, 256)]
    assert merkle(rows[0]) == root
    entries = list[bytes]()
    for n in range((size + 255) // 256):
        content = fetch("entries", n, min(256, size - 256 * n))
        while content:
            length = int.from_bytes(content[:2], "big")
            entries.append(content[2 : 2 + length])
            content = content[2 + length :]
    assert [hashlib.sha256(b"\x00" + entry).digest() for entry in entries] == rows[0]
    return size, root, entries


@pytest.mark.row("M5")
def test_a_reader_made_from_the_specification_alone_reads_the_whole_log(served: Served) -> None:
    served.community.pay_often(700)
    note = served.community.slot()

    def get(target: str) -> bytes:
        answer = served.get(target)
        assert answer.status_code == 200, target
        return answer.content

    size, root, entries = read_log(get)
    point = Checkpoint.parse(split_note(note)[0])
    assert (size, root) == (point.size, point.log_root)
    assert entries == [row.data() for row in served.community.rows()[:size]]


def test_tiles_come_with_their_types_and_full_ones_for_ever(served: Served) -> None:
    served.community.pay_often(300)
    served.community.slot()
    note, full, part = (served.get(place) for place in ("/checkpoint", "/tile/0/000", "/tile/0/000.p/17"))
    assert note.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (full.headers["Content-Type"], full.headers["Cache-Control"]) == ("application/octet-stream", FOR_EVER)
    assert part.content == full.content[: 17 * 32]
    assert part.headers["Cache-Control"] != FOR_EVER
    assert served.get("/tile/entries/000").headers["Cache-Control"] == FOR_EVER
    for target in (
        "/tile/0/007",
        "/tile/1/001",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/001.p/255",
        "/tile/00/000",
        "/tile/0/0",
        "/tile/entries/999",
        "/tile/64/000",
        "/tile/x/000",
        "/checkpoint?size=3",
        "/nothing",
    ):
        found = served.get(target)
        assert (found.status_code, found.headers.get("Cache-Control")) in ((404, "no-cache"), (404, None)), target
    for target in ("/checkpoint?size=-1", "/checkpoint?size=x", f"/checkpoint?size={2**70}"):
        assert served.get(target).status_code == 422


def test_an_earlier_checkpoint_stays_there(served: Served) -> None:
    first = served.get("/checkpoint").text
    served.community.slot()
    assert served.get("/checkpoint").text != first
    assert served.get(f"/checkpoint?size={Checkpoint.parse(split_note(first)[0]).size}").text == first


@pytest.mark.row("M6")
def test_leaves_are_for_registered_witnesses_and_hold_nothing_personal(served: Served) -> None:
    target = "/leaves?from=3&limit=5"

    def asked(header: str, at: str = target) -> int:
        return served.get(at, Authorization=header).status_code

    good = sign_call(ANNE.signing, NAME, target, NOW_S)
    answer = served.get(target, Authorization=good)
    told = read_leaves(answer.content)
    assert [row.position for row in told] == [3, 4, 5, 6, 7]
    assert all(not row.personal for row in told)
    assert b"personal" not in answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    for skew_s, status in ((TOLERANCE_S, 200), (-TOLERANCE_S, 200), (TOLERANCE_S + 1, 403), (-TOLERANCE_S - 1, 403)):
        assert asked(sign_call(ANNE.signing, NAME, target, NOW_S + skew_s)) == status
    dora = witness("dora.example")
    for header in (
        "",
        "Bearer x",
        good[:-1] + "g",
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        sign_call(dora.signing, NAME, target, NOW_S),
        sign_call(ANNE.signing, "road", target, NOW_S),
        good.replace(ANNE.signing.public.hex(), BOB.signing.public.hex()),
    ):
        assert asked(header) == 403, header
    assert asked(good, "/leaves?from=3&limit=6") == 403, "signed for five"
    assert asked(sign_call(ANNE.signing, NAME, at := "/leaves?limit=1025", NOW_S), at) == 422


def test_leaves_carry_no_personal_part_even_where_there_is_one(served: Served) -> None:
    rows = served.community.rows()
    served.publisher.log._rows[5] = structs.replace(rows[5], personal=b"who lives where")  # type: ignore[attr-defined]
    target = "/leaves?from=5&limit=1"
    answer = served.get(target, Authorization=sign_call(ANNE.signing, NAME, target, NOW_S))
    assert read_leaves(answer.content) == [rows[5]]


@pytest.mark.row("M6")
def test_the_state_is_handed_over_at_a_final_checkpoint_and_to_witnesses_alone(served: Served) -> None:
    def asked(keys: WitnessKeys) -> httpx.Response:
        return served.get("/snapshot", Authorization=sign_call(keys.signing, NAME, "/snapshot", NOW_S))

    assert served.get("/snapshot").status_code == asked(witness("dora.example")).status_code == 403
    assert asked(ANNE).status_code == 404, "there is no snapshot"
    served.community.sequencer.save_snapshot()
    served.community.slot()
    assert asked(ANNE).status_code == 404, "nothing is final"
    served.cosign(ANNE)
    served.cosign(BOB)
    answer = asked(CARL)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    handed = read_handed(answer.content)
    assert handed.note == served.get("/checkpoint").text
    point = Checkpoint.parse(split_note(handed.note)[0])
    state, _ = snapshot.load(handed.content)
    assert (state.root(), snapshot.log_root(handed.content)) == (point.state_root, point.log_root)
    served.community.slot()
    assert read_handed(asked(CARL).content) == handed, "what is newer is not final"


@pytest.mark.row("E14")
def test_a_checkpoint_is_final_with_two_thirds_and_not_before(served: Served) -> None:
    words = {one.note: one.weight for one in CARDS}
    for count, keys in enumerate((ANNE, BOB, CARL), start=1):
        told = served.cosign(keys).json()
        assert told == {"cosigned": count, "final": count >= 2, "total": 3}
        note = served.get("/checkpoint").text
        assert verify_note(note, {NAME: NOTE.public}) == split_note(note)[0]
        assert weight(note, words).is_final is (count >= 2)
        standing = served.get("/witnesses").json()
        assert (standing["final_size"] == standing["size"]) is (count >= 2)
    served.community.slot()
    later = served.get("/witnesses").json()
    assert later["final_size"] == standing["size"] < later["size"]


def test_a_cosignature_counts_once_and_the_first_stays(served: Served) -> None:
    assert served.cosign(ANNE).json()["cosigned"] == 1
    first = served.get("/checkpoint").text
    text = split_note(first)[0]
    again = cosignature_line(text, ANNE.name, ANNE.note.private, NOW_S + 1)
    assert served.cosign(ANNE, line=again).json() == {"cosigned": 1, "final": False, "total": 3}
    assert served.get("/checkpoint").text == first


def test_what_is_no_good_cosignature_changes_nothing(served: Served) -> None:
    before = served.get("/checkpoint").text
    text = split_note(before)[0]
    point = Checkpoint.parse(text)
    other = cosignature_line(text.replace("slot", "slots"), ANNE.name, ANNE.note.private, NOW_S)
    good = cosignature_line(text, ANNE.name, ANNE.note.private, NOW_S)
    for changed, status in (
        ({"typed": typed(BOB, point)}, 403),
        ({"typed": "0" * 128}, 403),
        ({"typed": "0" * 127}, 400),
        ({"line": other}, 400),
        ({"line": good + good}, 400),
        ({"line": good[:-1]}, 400),
        ({"line": "\n"}, 400),
        ({"line": "\0"}, 400),
        ({"line": 7}, 400),
        ({"more": 7}, 400),
        ({"size": 2}, 404),
        ({"size": -2}, 400),
        ({"size": 2**60}, 400),
        ({"line": "x" * 900_000}, 400),
    ):
        assert served.cosign(ANNE, **changed).status_code == status, changed
    assert served.cosign(witness("dora.example")).status_code == 403
    for content in (b"", b"[]", b"\xff", b"[" * 5_000, b"null", b"{}"):
        assert served.ask("POST", "/cosignature", content=content).status_code == 400
    assert served.get("/checkpoint").text == before


def test_the_page_shows_a_bar_for_each_witness_and_loads_nothing(served: Served) -> None:
    served.cosign(ANNE)
    page = served.get("/witnesses", Accept="text/html,*/*").text
    assert page == served.get("/").text
    assert page.count("<svg") == 4
    assert "anne.example: 100.0 per cent" in page
    assert "bob.example: 0.0 per cent" in page
    assert "Nothing is final yet" in page
    assert "src=" not in page and "http:" not in page


def test_names_are_shown_as_text() -> None:
    odd = Watching(name="<script>x</script>", weight=1, last_size=7, last_time_s=NOW_S)
    standing = Standing(community="<b>", size=7, slot_s=900, final_size=7, total_weight=1, witnesses=(odd,))
    page = witnesses_page(standing, NOW_S)
    assert "<script>" not in page and "<b>" not in page


def test_a_log_that_is_empty_or_unwatched_says_so(tmp_path: Path) -> None:
    community = Watched(())
    served = Served(community, Publisher(community.store, NoteFile(tmp_path / "notes.sqlite"), trusted(())))
    assert served.get("/checkpoint").status_code == 404
    assert served.get("/witnesses").json()["final_size"] is None
    assert "no checkpoint yet" in served.get("/").text
    community.slot()
    assert served.get("/witnesses").json()["final_size"] is None
    assert "only its operator answers" in served.get("/").text
    assert served.get("/leaves").status_code == 403


def test_a_note_that_the_logs_key_did_not_sign_is_not_shown(tmp_path: Path) -> None:
    community = Watched()
    served = Served(community, Publisher(community.store, NoteFile(tmp_path / "notes.sqlite"), trusted()))
    note = community.slot()
    strange = Watched.close
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("watched.NOTE", ANNE.note)
        strange(community, community.slot_s)
    assert served.get("/checkpoint").text == note


def test_two_witnesses_with_one_key_found_no_community() -> None:
    twin = card(WitnessKeys("twin.example", ANNE.note, CARL.signing))
    for cards in ((card(ANNE), twin), (card(ANNE), card(ANNE))):
        with pytest.raises(AssertionError):
            Watched(cards)
