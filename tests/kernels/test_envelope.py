import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.kernels.envelope import (
    BODY,
    BODY_END,
    COMMUNITY,
    COMMUNITY_END,
    HEAD_END,
    KIND,
    KIND_END,
    NAME,
    NAME_END,
    SEQ,
    find_parts,
)

words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
requests = st.fixed_dictionaries(
    {
        "author": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
        "body": st.dictionaries(st.text(), json, max_size=4),
        "community": words,
        "kind": words,
        "on_behalf_of": words,
        "seq": st.integers(1, 2**53 - 1),
        "signature": st.binary(min_size=64, max_size=64).map(bytes.hex),
    }
)


def found(wires: list[bytes]) -> list[dict[str, object] | None]:
    """Return what the parts of each request say, or None where it was not found."""
    parts, signatures, good = find_parts(
        np.frombuffer(b"".join(wires), np.uint8), np.cumsum([len(wire) for wire in wires])
    )
    return [
        {
            "author": wire[11:53].decode(),
            "body": msgspec.json.decode(wire[part[BODY] : part[BODY_END]]),
            "community": wire[part[COMMUNITY] : part[COMMUNITY_END]].decode(),
            "kind": wire[part[KIND] : part[KIND_END]].decode(),
            "on_behalf_of": wire[part[NAME] : part[NAME_END]].decode(),
            "seq": int(part[SEQ]),
            "signature": signature.tobytes().hex(),
            "head": wire[: part[HEAD_END]],
        }
        if usual
        else None
        for wire, part, signature, usual in zip(wires, parts, signatures, good, strict=True)
    ]


@given(st.lists(st.tuples(requests, st.sampled_from([b"", b"\n", b"\nrecords", b"\n\n"])), min_size=1, max_size=5))
def test_every_part_is_found_whatever_the_body_holds(told: list[tuple[dict[str, object], bytes]]) -> None:
    heads = [msgspec.json.encode(one, order="sorted") for one, _ in told]
    wires = [head + more for head, (_, more) in zip(heads, told, strict=True)]
    assert found(wires) == [{**one, "head": head} for head, (one, _) in zip(heads, told, strict=True)]


@given(requests, st.data())
def test_what_is_found_in_damaged_bytes_is_what_stands_there(told: dict[str, object], data: st.DataObject) -> None:
    wire = msgspec.json.encode(told, order="sorted")
    at = data.draw(st.integers(0, len(wire) - 1))
    damaged = wire[:at] + data.draw(st.binary(max_size=3)) + wire[at + data.draw(st.integers(0, 3)) :]
    parts, _, good = find_parts(np.frombuffer(damaged, np.uint8), np.array([len(damaged)]))
    if not good[0]:
        return
    head = damaged[: parts[0][HEAD_END]]
    body = head[parts[0][BODY] : parts[0][BODY_END]]
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        return  # left to whoever reads the body
    # All around the body is in its canonical form, so writing it again gives the same.
    again = msgspec.json.decode(head)
    again["body"] = msgspec.Raw(body)
    assert msgspec.json.encode(again, order="sorted") == head
    assert set(again) == set(told)


def test_what_is_written_otherwise_is_not_found() -> None:
    head = b'{"author":"0x%s","body":{},"community":"c","kind":"k","on_behalf_of":"n","seq":%s,"signature":"%s"}'
    good = head % (b"a" * 40, b"7", b"0f" * 64)
    assert found([good])[0] is not None
    for bent in (
        head % (b"A" * 40, b"7", b"0f" * 64),
        head % (b"a" * 39, b"7", b"0f" * 64),
        head % (b"a" * 40, b"0", b"0f" * 64),
        head % (b"a" * 40, b"07", b"0f" * 64),
        head % (b"a" * 40, b"-7", b"0f" * 64),
        head % (b"a" * 40, b"9007199254740992", b"0f" * 64),
        head % (b"a" * 40, b"99999999999999999999", b"0f" * 64),
        head % (b"a" * 40, b"7", b"0F" * 64),
        head % (b"a" * 40, b"7", b"0f" * 63),
        good.replace(b'"c"', b'"c d"'),
        good.replace(b'"n"', b'""'),
        good.replace(b'"n"', b'"%s"' % (b"n" * 65)),
        good.replace(b'"n"', b'".n"'),
        good.replace(b"{}", b"{"),
        good.replace(b"{}", b"{\n}"),
        good.replace(b"{}", b"[]"),
        good + b" ",
        good[:-1],
        b"",
    ):
        assert found([bent]) == [None]
