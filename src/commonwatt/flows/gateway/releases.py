"""What a gateway may run next: releases that enough of the pinned keys signed, newer than all that it ever took."""

import re
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.identity.keys import NoteKey
from commonwatt.ledger.checkpoint import parse_vkey, sign_note, signature_line, split_note, verify_note
from commonwatt.model import MAX_SAFE_INTEGER, Corrupt, InvalidValue, Refused, canonical_json

HEADING = "commonwatt release"
"""First line of what is signed, so that no key's word about anything else can pass for one about a release."""
MOST_FILE_BYTES = 400_000_000
MOST_UNPACKED_BYTES = 2_000_000_000
MOST_MEMBERS = 100_000
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){1,3}")
_PARTS = 4
_Version = Annotated[str, Meta(pattern=rf"^{_VERSION.pattern}\Z", max_length=27)]
_Second = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]


class Artifact(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A wheel or another zip of a release: its name beside the manifest, its bytes and their SHA-256."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}\.(whl|zip)\Z")]
    size: Annotated[int, Meta(ge=1, le=MOST_FILE_BYTES)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Manifest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a release is.

    Args:
        version: Two to four numbers with dots between.
        least: The oldest version that can be replaced by it at once.
        not_before_s: First second since 1970 at which it may be installed.
        not_after_s: First second at which it may not any more: an old release that is shown for ever ends there.
        files: All of them are unpacked into one folder, in this order.
    """

    version: _Version
    least: _Version
    not_before_s: _Second
    not_after_s: _Second
    files: Annotated[list[Artifact], Meta(min_length=1, max_length=500)]


class ReleaseTrust(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Whose word about releases counts, as it is pinned in a gateway's folder: so many of these keys."""

    threshold: Annotated[int, Meta(ge=1, le=50)]
    keys: Annotated[list[str], Meta(min_length=1, max_length=50)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a gateway runs, and the newest that it ever took.

    Args:
        present: The version in force.
        newest: The newest version that was ever put in force here; None where none was.
        newest_text: SHA-256 of that one's signed text, hex; empty where none was.
    """

    present: str
    newest: str | None = None
    newest_text: str = ""


def admit(note: str, trust: ReleaseTrust, standing: Standing, now_s: int) -> Manifest:
    """Return the manifest of a note that may be installed now.

    Raises:
        Refused: Too few of the pinned keys signed it; it is not newer than what runs, or older than what was taken
            before; what runs is too old for it; or its time has not come, or is over.
        Corrupt: It is signed well enough and still is no manifest.
        InvalidValue: What is pinned are no keys.
    """
    text = signed_text(note, trust)
    manifest = read_manifest(text)
    version = numbers(manifest.version)
    if version <= numbers(standing.present):
        raise Refused("a release is newer than what runs", found=manifest.version, present=standing.present)
    if standing.newest is not None and version <= numbers(standing.newest):
        again = version == numbers(standing.newest) and text_hash(text) == standing.newest_text
        if not again:
            raise Refused("a release is newer than all before", found=manifest.version, newest=standing.newest)
    if numbers(standing.present) < numbers(manifest.least):
        raise Refused("a release replaces what is not too old for it", present=standing.present, least=manifest.least)
    if not manifest.not_before_s <= now_s < manifest.not_after_s:
        raise Refused(
            "a release has its time",
            not_before_s=manifest.not_before_s,
            not_after_s=manifest.not_after_s,
            now_s=now_s,
        )
    return manifest


def signed_text(note: str, trust: ReleaseTrust) -> str:
    """Return a note's text once as many different pinned keys as are asked for have signed it.

    Raises:
        Refused: Fewer did.
        Corrupt: It is no note.
        InvalidValue: What is pinned are no keys.
    """
    text, _ = split_note(note)
    signers = []
    for name, key in pinned(trust).items():
        try:
            verify_note(note, {name: key})
        except Corrupt:
            continue
        signers.append(name)
    if len(signers) < trust.threshold:
        found = ", ".join(signers) or "nobody"
        raise Refused("a release is signed by enough of the pinned keys", needed=trust.threshold, signed_by=found)
    return text


def pinned(trust: ReleaseTrust) -> dict[str, bytes]:
    """Return the pinned keys by name.

    Raises:
        InvalidValue: A word is no key, a name or a key stands there twice, or more signers are asked for than there
            are.
    """
    keys = dict[str, bytes]()
    for word in trust.keys:
        try:
            name, key = parse_vkey(word)
        except Corrupt as error:
            raise InvalidValue(f"a release key is name+id+key: {error}") from error
        # One key under two names would count twice.
        if name in keys or key in keys.values():
            raise InvalidValue(f"release keys are different ones, was {name} twice")
        keys[name] = key
    if trust.threshold > len(keys):
        raise InvalidValue(f"no more signers are asked for than there are keys, was {trust.threshold} of {len(keys)}")
    return keys


def sign_manifest(manifest: Manifest, name: str, key: NoteKey) -> str:
    """Return a note that tells of a release, signed by one key; `countersign` adds others."""
    return sign_note(manifest_text(manifest), name, key.private)


def countersign(note: str, name: str, key: NoteKey) -> str:
    """Return a note with one more signature.

    Raises:
        Corrupt: It tells of no release.
        Refused: That name has signed it already.
    """
    text, lines = split_note(note)
    read_manifest(text)
    line = signature_line(text, name, key.private)
    if any(one.split(" ")[1:2] == [name] for one in lines):
        raise Refused("a release is signed once by each", name=name)
    return note + line


def manifest_text(manifest: Manifest) -> str:
    """Return what is signed: the heading, and the manifest as canonical JSON."""
    return f"{HEADING}\n{canonical_json(msgspec.to_builtins(manifest)).decode()}\n"


def read_manifest(text: str) -> Manifest:
    """Return the manifest of a note's text; there is one text for each.

    Raises:
        Corrupt: It is none.
    """
    heading, _, rest = text.partition("\n")
    try:
        manifest = msgspec.json.decode(rest, type=Manifest)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"a release's text is a heading and a manifest: {error}") from error
    if heading != HEADING or manifest_text(manifest) != text:
        raise Corrupt(f"a release's text has one form, was {text[:80]!r}")
    if len({file.name for file in manifest.files}) < len(manifest.files):
        raise Corrupt("each file of a release has a name of its own")
    return manifest


def artifact(name: str, content: bytes) -> Artifact:
    """Return how a manifest names a file.

    Raises:
        InvalidValue: It is empty or too large, or its name is not a wheel's or a zip's.
    """
    told = {"name": name, "size": len(content), "sha256": sha256(content).hexdigest()}
    try:
        return msgspec.convert(told, Artifact)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"a file of a release is a .whl or .zip of some bytes, was {name}: {error}") from error


def check_file(file: Artifact, content: bytes) -> None:
    """Raise Corrupt where bytes are not those of a file that a manifest names."""
    if len(content) != file.size or sha256(content).hexdigest() != file.sha256:
        raise Corrupt(f"{file.name} is not what was signed: {len(content)} bytes instead of {file.size}, or others")


def check_members(members: Sequence[zipfile.ZipInfo]) -> int:
    """Return how many bytes an archive unpacks to, once each of its members can only become a file below one folder.

    Raises:
        Corrupt: A member has a path that leaves the folder or means something else elsewhere, is a link or a device,
            is encrypted, or is there twice; or there is too much of it.
    """
    if len(members) > MOST_MEMBERS:
        raise Corrupt(f"an archive has at most {MOST_MEMBERS} members, was {len(members)}")
    seen = set[str]()
    for member in members:
        # ZipInfo cuts a name at its first NUL; what stood there before decides.
        name = member.orig_filename
        kind = stat.S_IFMT(member.external_attr >> 16)
        parts = name.removesuffix("/").split("/")
        odd = "\\" in name or ":" in name or any(ord(letter) < 0x20 for letter in name)
        if odd or PurePosixPath(name).is_absolute() or any(part in ("", ".", "..") for part in parts):
            raise Corrupt(f"a member of an archive has a plain path, was {name!r}")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or member.flag_bits & 0x1:
            raise Corrupt(f"a member of an archive is a plain file or folder, was {name!r}")
        if name.casefold() in seen:
            raise Corrupt(f"a member of an archive is there once, was {name!r}")
        seen.add(name.casefold())
    whole = sum(member.file_size for member in members)
    if whole > MOST_UNPACKED_BYTES:
        raise Corrupt(f"an archive unpacks to at most {MOST_UNPACKED_BYTES} bytes, was {whole}")
    return whole


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, by which two are compared; 1.2 is 1.2.0.

    Raises:
        InvalidValue: It is no version.
    """
    if not _VERSION.fullmatch(version):
        raise InvalidValue(f"a version is two to four numbers with dots between, was {version!r}")
    found = [int(part) for part in version.split(".")]
    return tuple(found + [0] * (_PARTS - len(found)))


def text_hash(text: str) -> str:
    """Return by which a signed text is known again."""
    return sha256(text.encode()).hexdigest()
