"""The verifier that stands alone believes and refuses as `commonwatt verify` does, whatever character is changed."""

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_prove import run
from verifiers import ALONE, CLASSES, FOLDER, PROGRAM, alone, named, ours, street, told
from watched import ANNE, trust

from commonwatt.flows import evidence
from commonwatt.flows.evidence import encode


def program(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it as anyone would, but without a way to any package that is installed here."""
    command = [sys.executable, "-I", "-S", PROGRAM, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def in_files(folder: Path, content: bytes, pub: str) -> list[str | Path]:
    shown, keys = folder / "evidence.json", folder / "community.pub"
    shown.write_bytes(content)
    keys.write_text(pub)
    return [shown, "--trust", keys]


@pytest.mark.parametrize("name", ["anna", "ben", "secure", "street"])
def test_it_believes_what_is_true_and_says_what_it_did_not_check(tmp_path: Path, name: str) -> None:
    case = named(name)
    begun = time.monotonic()
    found = program(*in_files(tmp_path, *case))
    assert time.monotonic() - begun < 10
    assert (found.returncode, found.stderr) == (0, "")
    shown, left_out, last = found.stdout.splitlines()
    assert json.loads(case[0])["account"] in shown
    assert [left_out.index(f" {name} (") for name in CLASSES] == sorted(
        left_out.index(f" {name} (") for name in CLASSES
    )
    assert left_out.count("(") == len(CLASSES)
    assert last == "all that is checked holds"
    assert not ours(*case)


def test_it_tells_a_rehearsal_and_what_the_member_pays() -> None:
    assert ALONE.check(told(), trust().encode()).endswith("420 Wh in, 0 Wh out, 101000 micro to pay")
    rehearsed = trust().replace('"rehearsal": false', '"rehearsal": true')
    assert "a REHEARSAL" in ALONE.check(told(), rehearsed.encode())


def test_it_agrees_about_every_member_and_slot_of_the_street() -> None:
    lived = run(3)
    cases = [
        (account, slot_s) for slot_s in lived.then.state.slot_market.slots() for account in lived.then.state.members()
    ]
    for case in Random(1).sample(cases, 8):
        content = lived.evidence(*case)
        assert (alone(content, lived.trust), ours(content, lived.trust)) == ("", "")


def test_what_a_delegate_ordered_is_believed_with_its_grant_alone() -> None:
    content = told("anna", agent=True)
    assert (alone(content, trust()), ours(content, trust())) == ("", "")
    bundle = json.loads(content)
    bundle["leaves"] = [leaf for leaf in bundle["leaves"] if '"what":"grant"' not in leaf["body"]]
    assert "by a key of its account" in alone(encode(bundle), trust())
    assert ours(encode(bundle), trust()) == "signatures"


def test_a_changed_file_a_stranger_s_file_and_misuse_have_their_exit_codes(tmp_path: Path) -> None:
    changed = program(*in_files(tmp_path, told().replace(b'"slot_s": 17', b'"slot_s": 18', 1), trust()))
    assert (changed.returncode, changed.stdout) == (1, "")
    assert changed.stderr.startswith("not to be believed: ")
    assert program(*in_files(tmp_path, *street())[:2], tmp_path / "none").returncode == 1
    assert program(*in_files(tmp_path, told(), street()[1])).returncode == 1
    assert program(tmp_path / "evidence.json").returncode == 2


# Every character, both verdicts


def other(byte: int, random: Random) -> int:
    """Return another character of the same sort."""
    sort = next(sort for sort in (b"0123456789", b"abcdefghijklmnopqrstuvwxyz", bytes(range(32, 127))) if byte in sort)
    return random.choice([one for one in sort if one != byte])


def places(content: bytes, random: Random) -> list[int]:
    """Return a sample of all that is no blank, and all of what no hash or signature binds by itself."""
    everywhere = [at for at, byte in enumerate(content) if 32 < byte < 127]
    trades = content.index(b' "trades"')
    head = [at for at in everywhere if at < content.index(b' "entries"') or at >= trades]
    reading = range(content.index(b' "reading"'), content.index(b' "sections"'))
    return sorted({*random.sample(everywhere, 300), *head, *(at for at in reading if 32 < content[at] < 127)})


@pytest.mark.parametrize("name", ["ben", "street"])
def test_whatever_character_is_changed_both_refuse_but_for_the_auction_and_cosignatures(name: str) -> None:
    content, pub = named(name)
    random, believed = Random(7), list[tuple[str, str]]()
    tried = places(content, random)
    assert len(tried) > 500
    for at in tried:
        changed = bytearray(content)
        changed[at] = other(changed[at], random)
        why, check = alone(bytes(changed), pub), ours(bytes(changed), pub)
        assert check, (at, content[at - 60 : at + 20])
        if not why:
            believed.append((check, content[content.rindex(b"\n", 0, at) + 1 : at].decode().strip()))
    # An amount that was traded and not wholly delivered, and a last digit of a price that rounding hides.
    assert {check for check, _ in believed} <= {"auction", "checkpoint"}
    assert all(line.startswith(('"energy_wh"', '"price_micro', '"note"')) for _, line in believed), believed
    assert sum(check == "auction" for check, _ in believed) > 0


def test_each_digit_of_the_note_that_the_log_signed_counts_and_others_signatures_do_not() -> None:
    content = told()
    start = content.index(b' "note"')
    line, random = content[start : content.index(b"\n", start)], Random(3)
    cosignature = start + line.rindex(ANNE.name.encode()) + len(ANNE.name) + 1
    begun, ended = start + len(b' "note": "'), start + len(line) - len(b'\\n",')
    for at in random.sample([at for at in range(begun, ended) if 32 < content[at] < 127], 150):
        changed = bytearray(content)
        changed[at] = other(changed[at], random)
        assert ours(bytes(changed), trust()) in ("checkpoint", "format"), at
        if at < cosignature - len(ANNE.name) - len(" —  ".encode()):
            assert alone(bytes(changed), trust()), content[at - 60 : at + 20]
    by_another = line.replace(ANNE.name.encode(), b"someone")
    assert not alone(content.replace(line, by_another), trust())


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_garbage_is_refused_by_an_ordinary_error(garbage: bytes) -> None:
    assert alone(garbage, trust())
    assert alone(told(), garbage.decode(errors="replace"))


@pytest.mark.parametrize("inner", ["[" * 100_000, "9" * 10_000, "1e999", "NaN", "-1", '"\\ud800"', "1.5", "{}"])
@pytest.mark.parametrize("name", ["account", "slot_s", "entries", "leaves", "note", "reading", "sections"])
def test_monstrous_values_are_refused(name: str, inner: str) -> None:
    text = json.dumps(json.loads(told()) | {name: "HERE"}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert alone(text.replace('"HERE"', inner).encode(), trust())


# Its page


def test_the_page_tells_every_field() -> None:
    page = (FOLDER / "README.md").read_text()
    shapes = (evidence.Bundle, evidence.ShownLeaf, evidence.ShownItem, evidence.ShownEntry, evidence.Trust)
    fields = {field for shape in shapes for field in shape.__struct_fields__}
    entry, trade = json.loads(told())["entries"][0]["entry"], json.loads(told())["trades"][0]
    assert [name for name in sorted({*fields, *entry, *trade}) if f"`{name}`" not in page] == []
    assert [name for name in CLASSES if f"*{name}*" not in page] == []
