"""No release is taken that too few signed, that is old, early, late or changed, nor an archive that breaks out."""

import stat
import zipfile
from dataclasses import replace
from io import BytesIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flows.gateway.releases import (
    MOST_MEMBERS,
    MOST_UNPACKED_BYTES,
    Artifact,
    Manifest,
    ReleaseTrust,
    Standing,
    admit,
    artifact,
    check_file,
    check_members,
    countersign,
    manifest_text,
    numbers,
    read_manifest,
    sign_manifest,
    text_hash,
)
from commonwatt.identity.keys import NoteKey
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.model import Corrupt, InvalidValue, Refused

NAMES = ("anne", "bob", "carl")
KEYS = {name: NoteKey.from_seed(b"releases", name) for name in NAMES}
WORDS = [vkey(name, key.public) for name, key in KEYS.items()]
TWO_OF_THREE = ReleaseTrust(threshold=2, keys=WORDS)
FILE = artifact("commonwatt-1.3.0-py3-none-any.whl", b"content")
MANIFEST = Manifest(version="1.3.0", least="1.1", not_before_s=1_000, not_after_s=2_000, files=[FILE])
STANDING = Standing(present="1.2.0")


def signed(manifest: Manifest = MANIFEST, names: tuple[str, ...] = ("anne", "bob")) -> str:
    note = sign_manifest(manifest, names[0], KEYS[names[0]])
    for name in names[1:]:
        note = countersign(note, name, KEYS[name])
    return note


def test_a_release_that_two_of_three_signed_is_taken_in_its_time() -> None:
    for names in (("anne", "bob"), ("carl", "anne"), NAMES):
        assert admit(signed(names=names), TWO_OF_THREE, STANDING, 1_000) == MANIFEST


def test_signatures_of_strangers_and_of_one_key_twice_count_for_nothing() -> None:
    dora = NoteKey.from_seed(b"releases", "dora")
    for note in (
        signed(names=("anne",)),
        countersign(signed(names=("anne",)), "dora", dora),
        countersign(signed(names=("anne",)), "bob", dora),
        countersign(signed(names=("anne",)), "anna", KEYS["anne"]),
        signed(names=("anne",)) + signed(names=("anne",)).rpartition("\n\n")[2],
    ):
        with pytest.raises(Refused, match="enough"):
            admit(note, TWO_OF_THREE, STANDING, 1_000)
    with pytest.raises(Refused, match="once by each"):
        countersign(signed(), "anne", KEYS["anne"])


@given(st.data())
def test_a_note_with_one_bit_changed_is_never_taken_for_another_release(data: st.DataObject) -> None:
    content = bytearray(signed().encode())
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    content[place // 8] ^= 1 << place % 8
    try:
        taken = admit(content.decode(), TWO_OF_THREE, STANDING, 1_000)
    except (Refused, Corrupt, UnicodeDecodeError):
        return
    assert taken == MANIFEST, "a signature that nobody needs may differ, what is signed may not"


@given(st.text(max_size=200))
def test_what_is_no_note_is_refused_by_name(text: str) -> None:
    with pytest.raises((Refused, Corrupt)):
        admit(text, TWO_OF_THREE, STANDING, 1_000)


@pytest.mark.parametrize(
    ("standing", "now_s", "words"),
    [
        (Standing(present="1.3"), 1_000, "newer than what runs"),
        (Standing(present="1.10.0"), 1_000, "newer than what runs"),
        (Standing(present="1.2", newest="1.4"), 1_000, "newer than all before"),
        (Standing(present="1.2", newest="1.3.0", newest_text="other"), 1_000, "newer than all before"),
        (Standing(present="1.0.9"), 1_000, "too old"),
        (STANDING, 999, "its time"),
        (STANDING, 2_000, "its time"),
    ],
)
def test_downgrades_replays_leaps_and_what_is_early_or_late_are_refused(
    standing: Standing, now_s: int, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        admit(signed(), TWO_OF_THREE, standing, now_s)


def test_the_newest_one_may_be_tried_again_after_going_back() -> None:
    again = replace(STANDING, newest="1.3.0", newest_text=text_hash(manifest_text(MANIFEST)))
    assert admit(signed(), TWO_OF_THREE, again, 1_000) == MANIFEST
    other = msgspec.structs.replace(MANIFEST, not_after_s=3_000)
    with pytest.raises(Refused, match="newer than all before"):
        admit(signed(other), TWO_OF_THREE, again, 1_000)


@given(st.lists(st.integers(0, 999), min_size=2, max_size=4), st.lists(st.integers(0, 999), min_size=2, max_size=4))
def test_a_gateway_never_goes_to_an_older_version(present: list[int], offered: list[int]) -> None:
    was, new = (".".join(map(str, version)) for version in (present, offered))
    manifest = msgspec.structs.replace(MANIFEST, version=new, least="0.0")
    if numbers(new) > numbers(was):
        assert admit(signed(manifest), TWO_OF_THREE, Standing(present=was), 1_000).version == new
    else:
        with pytest.raises(Refused):
            admit(signed(manifest), TWO_OF_THREE, Standing(present=was), 1_000)


def test_what_pinned_keys_signed_about_anything_else_is_no_release() -> None:
    other = "street\n1\n"
    note = sign_note(other, "anne", KEYS["anne"].private)
    note += sign_note(other, "bob", KEYS["bob"].private).rpartition("\n\n")[2]
    with pytest.raises(Corrupt, match="heading"):
        admit(note, TWO_OF_THREE, STANDING, 1_000)
    with pytest.raises(Corrupt):
        read_manifest(manifest_text(MANIFEST).replace(",", ", ", 1))
    twice = msgspec.structs.replace(MANIFEST, files=[FILE, FILE])
    with pytest.raises(Corrupt, match="name of its own"):
        read_manifest(manifest_text(twice))


@pytest.mark.parametrize(
    "trust",
    [
        ReleaseTrust(threshold=4, keys=WORDS),
        ReleaseTrust(threshold=1, keys=[WORDS[0], WORDS[0]]),
        ReleaseTrust(threshold=2, keys=[WORDS[0], vkey("anne-again", KEYS["anne"].public)]),
        ReleaseTrust(threshold=1, keys=["anne+00000000+AAAA"]),
    ],
)
def test_keys_that_could_count_twice_or_never_suffice_are_not_pinned(trust: ReleaseTrust) -> None:
    with pytest.raises(InvalidValue):
        admit(signed(), trust, STANDING, 1_000)


@pytest.mark.parametrize("version", ["", "1", "1.", "1.02", "1.2.3.4.5", "1.2rc1", "1.2\n", "v1.2", "1.-2", "../1.2"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(InvalidValue):
        numbers(version)


@pytest.mark.parametrize("name", ["../x.whl", "a/b.whl", "x.tar.gz", ".whl", "x.whl\n", "x .whl"])
def test_a_file_of_a_release_lies_beside_its_note(name: str) -> None:
    with pytest.raises(InvalidValue):
        artifact(name, b"content")


def test_bytes_that_are_not_those_that_were_signed_are_refused() -> None:
    check_file(FILE, b"content")
    for content in (b"contenT", b"conten", b"content!", b""):
        with pytest.raises(Corrupt, match="not what was signed"):
            check_file(FILE, content)
    assert isinstance(FILE, Artifact)


def member(name: str, mode: int = 0, size: int = 1) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.orig_filename, info.external_attr, info.file_size = name, mode << 16, size
    return info


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "a//x", "./x", "a/.", "..", "", "C:x", "C:\\x", "a\\x", "a\0b", "a\nb", "a/../"],
)
def test_a_path_that_leaves_the_folder_or_means_something_else_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Corrupt, match="plain path"):
        check_members([member(name)])


def test_links_devices_doubles_and_bombs_are_refused() -> None:
    for mode in (stat.S_IFLNK | 0o777, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK):
        with pytest.raises(Corrupt, match="plain file or folder"):
            check_members([member("a", mode)])
    hidden = member("a")
    hidden.flag_bits |= 0x1
    with pytest.raises(Corrupt, match="plain file or folder"):
        check_members([hidden])
    with pytest.raises(Corrupt, match="once"):
        check_members([member("a"), member("A")])
    with pytest.raises(Corrupt, match="bytes"):
        check_members([member("a", size=MOST_UNPACKED_BYTES), member("b")])
    with pytest.raises(Corrupt, match="members"):
        check_members([member("a")] * (MOST_MEMBERS + 1))
    assert check_members([member("a/", stat.S_IFDIR | 0o755, 0), member("a/b", stat.S_IFREG | 0o644, 5)]) == 5


@given(st.lists(st.text(max_size=8), max_size=5))
def test_whatever_names_an_archive_has_none_that_is_let_through_leaves_its_folder(names: list[str]) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in dict.fromkeys(names):
            archive.writestr(member(name), b"x")
    members = zipfile.ZipFile(packed).infolist()
    try:
        check_members(members)
    except Corrupt:
        return
    for one in members:
        assert not one.orig_filename.startswith("/")
        assert ".." not in one.orig_filename.split("/")
