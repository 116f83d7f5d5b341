import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from test_prove import run
from test_verify import Json, check, opened, refused

from commonwatt.flows.evidence import Bundle, ShownEntry, ShownItem, encode
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import read_note, sided_path
from commonwatt.flows.recheck import money
from commonwatt.identity.keys import NoteKey, SigningKey, sign_request
from commonwatt.ledger.checkpoint import sign_note
from commonwatt.ledger.journal import entry_leaf
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree, merkle_root
from commonwatt.metering.batch import ITEM_BYTES, batch_root, decode_items, encode_items
from commonwatt.model import AccountId, Commodity, Entry, KeyId, OrderId, Outcome, Refused, Trade

# A dishonest operator's doing: everything is sealed again with the true note key, so that hashes and notes agree and
# only the rules are left to say no.


def sealed(bundle: Json, key: NoteKey | None = None) -> bytes:
    """Build a log and books of only what is shown, and sign them with the street's note key, or another."""
    bundle = deepcopy(bundle)
    size = read_note(bundle["note"]).size
    rows = {leaf["position"]: row(leaf) for leaf in bundle["leaves"]}
    log = MerkleTree(rows[n].data() if n in rows else b"" for n in range(size))
    for leaf in bundle["leaves"]:
        leaf["proof"] = [item.hex() for item in log.inclusion_proof(leaf["position"], size)]
    books = MerkleTree(entry_leaf(entry(shown)) for shown in bundle["entries"])
    for index, shown in enumerate(bundle["entries"]):
        shown["path"] = sided_path(books, index)
    bundle["sections"][0] = books.root().hex()
    root = merkle_root(map(bytes.fromhex, bundle["sections"]))
    point = replace(read_note(bundle["note"]), log_root=log.root(), state_root=root)
    bundle["note"] = sign_note(point.note_text(), point.origin, (key or run().cast.note).private)
    return encode(bundle)


def row(leaf: Json) -> LeafRow:
    return LeafRow(
        position=leaf["position"],
        stamped_s=leaf["stamped_s"],
        salt=bytes.fromhex(leaf["salt"]),
        body=leaf["body"].encode(),
        outcome=Outcome(leaf["outcome"]),
        author="",
        seq=0,
        owner="",
        closes=leaf["closes"],
    )


def entry(shown: Json) -> Entry:
    return Entry(**shown["entry"] | {"commodity": Commodity(shown["entry"]["commodity"])})


def keys() -> dict[KeyId, SigningKey]:
    cast = run().cast
    boxes = [SigningKey.from_seed(b"tests", f"HEPEK-{n:04d}") for n in range(11)]
    known = [cast.operator, cast.oracle, cast.planner, cast.dso, cast.payment, *cast.members.values(), *boxes]
    return {key.id: key for key in known}


def resigned(leaf: Json, change: Callable[[Json], object], key: SigningKey | None = None, **fields: Any) -> None:
    """Change a leaf's body or fields, and have it signed again by its author, or by another key."""
    request = read_head(leaf["body"].encode())
    body = deepcopy(dict(request.body))
    change(body)
    key = key or keys()[request.author]
    leaf["body"] = sign_request(replace(request, body=body, author=key.id, **fields), key).wire_bytes().decode()


def sign_records(bundle: Json, records: bytes) -> None:
    """Let the gateway sign other records, of which the first is shown."""
    told = {"count": len(records) // ITEM_BYTES, "root": batch_root(records).hex()}
    resigned(leaves(bundle, "reading_batch")[0], lambda body: body.update(told))
    bundle["reading"] = {"record": records[:ITEM_BYTES].hex(), "index": 0, "path": []}


def read_anew(bundle: Json, **fields: int) -> None:
    """Let the gateway sign that it counted something else."""
    (item,) = decode_items(bytes.fromhex(bundle["reading"]["record"]))
    sign_records(bundle, encode_items([replace(item, **fields)]))


def forged_record(bundle: Json) -> str:
    (item,) = decode_items(bytes.fromhex(bundle["reading"]["record"]))
    return encode_items([replace(item, import_wh=item.import_wh + 1)]).hex()


def leaves(bundle: Json, word: str) -> list[Json]:
    return [leaf for leaf in bundle["leaves"] if f'"{word}"' in leaf["body"]]


def entries(bundle: Json, commodity: str, memo: str = "trade") -> list[Json]:
    return [s["entry"] for s in bundle["entries"] if (s["entry"]["commodity"], s["entry"]["memo"]) == (commodity, memo)]


def same(body: Json) -> None:
    pass


def key_of(bundle: Json, account: str) -> Json:
    return next(leaf for leaf in leaves(bundle, "register") if f'"account":"{account}"' in leaf["body"])


def own_order(bundle: Json) -> Json:
    return next(leaf for leaf in leaves(bundle, "order") if f'"{bundle["account"]}"' in leaf["body"])


def other_order(bundle: Json) -> Json:
    return next(leaf for leaf in leaves(bundle, "order") if f'"{bundle["account"]}"' not in leaf["body"])


def stranger() -> SigningKey:
    return SigningKey.from_seed(b"x", "stranger")


def other_member(bundle: Json) -> SigningKey:
    return next(key for account, key in run().cast.members.items() if account != bundle["account"])


def leaf_of(kind: str, bundle: Json) -> Json:
    one = run()
    given = {leaf["position"] for leaf in bundle["leaves"]}
    rows = (r for r in one.rows if r.position not in given and f'"kind":"{kind}"'.encode() in r.body)
    found = next(r for r in rows if r.outcome is Outcome.BOOKED)
    shown = {"body": found.body.decode(), "outcome": "BOOKED", "position": found.position, "proof": []}
    shown["closes"] = found.closes
    return shown | {"salt": found.salt.hex(), "stamped_s": found.stamped_s}


def put(bundle: Json, leaf: Json) -> None:
    bundle["leaves"] = sorted([*bundle["leaves"], leaf], key=lambda one: one["position"])


def leave_out_order(bundle: Json) -> None:
    partner = bundle["trades"][0]["seller"]
    gone = [next(x for x in leaves(bundle, "order") if f'"{partner}"' in x["body"]), key_of(bundle, partner)]
    bundle["leaves"] = [leaf for leaf in bundle["leaves"] if leaf not in gone]


def deliver_too_much(bundle: Json) -> None:
    for commodity in ("energy_wh", "ergon_micro"):
        entries(bundle, commodity)[0]["amount"] += 10_000


def pay_twice(bundle: Json) -> None:
    paid = next(shown for shown in bundle["entries"] if shown["entry"]["commodity"] == "ergon_micro")
    bundle["entries"].append(deepcopy(paid))


def hand_out(memo: str, target: str) -> Callable[[Json], None]:
    def change(bundle: Json) -> None:
        moved = {"amount": 1, "commodity": "energy_wh", "memo": memo, "ref": "", "slot_s": bundle["slot_s"]}
        bundle["entries"].append({"entry": moved | {"source": bundle["account"], "target": target}, "path": []})

    return change


def no_trade(bundle: Json) -> None:
    """Book a trade with the grid instead, at the grid's price."""
    energy = entries(bundle, "energy_wh")[-1]
    ergon = next(e for e in entries(bundle, "ergon_micro") if e["ref"] == energy["ref"])
    ergon["ref"] = "1/2"


LIES: list[tuple[Callable[[Json], object], str, str]] = [
    (lambda b: own_order(b).update(outcome="NOT_BACKED"), "requests", "was booked: position .*, outcome NOT_BACKED"),
    (lambda b: leaves(b, "register")[1].update(outcome="SET_ASIDE"), "requests", "was booked"),
    (lambda b: resigned(own_order(b), same, community="road"), "requests", "for this community"),
    (lambda b: own_order(b).update(body=own_order(b)["body"][:-1] + " }"), "requests", "canonical"),
    (lambda b: b["entries"][0]["entry"].update(slot_s=b["slot_s"] + 900), "entries", "this member and slot"),
    (lambda b: b["entries"][0]["entry"].update(source="a", target="b"), "entries", "this member and slot"),
    (lambda b: b["leaves"].pop(0), "community", "first leaf"),
    (lambda b: resigned(b["leaves"][0], same, stranger()), "community", "operator signed"),
    (lambda b: resigned(b["leaves"][0], lambda x: x.update(public=stranger().public.hex())), "community", "trusted"),
    (lambda b: resigned(key_of(b, b["account"]), same, stranger()), "keys", "operator signed each key"),
    (lambda b: put(b, key_of(b, b["account"]) | {"position": 60}), "keys", "registered once"),
    (lambda b: resigned(key_of(b, b["account"]), lambda x: x.update(role="dso")), "signatures", "for a member to say"),
    (lambda b: resigned(key_of(b, b["account"]), lambda x: x.update(account="a")), "signatures", "speaks for its"),
    (lambda b: resigned(own_order(b), same, stranger()), "signatures", "registered before it speaks"),
    (lambda b: resigned(own_order(b), same, other_member(b)), "signatures", "speaks for its account"),
    (lambda b: resigned(own_order(b), same, on_behalf_of="a"), "signatures", "speaks for its account"),
    (lambda b: resigned(leaves(b, "fact")[0], same, run().cast.operator), "signatures", "registered before"),
    (lambda b: put(b, leaf_of("consent", b)), "signatures", "has a part in the case: .*consent"),
    (lambda b: b["leaves"].remove(leaves(b, "fact")[0]), "signatures", "every shown key speaks"),
    (lambda b: b["leaves"].remove(own_order(b)), "auction", "what the auction gives"),
    (lambda b: put(b, leaf_of("reading_batch", b)), "signatures", "registered before it speaks"),
    (lambda b: leaves(b, "reading_batch")[0].update(stamped_s=b["slot_s"]), "readings", "of this slot"),
    (lambda b: b["leaves"].remove(leaves(b, "asset_kind")[0]), "readings", "one asset is registered"),
    (
        lambda b: resigned(leaves(b, "asset_kind")[0], lambda x: x.update(gateway="HEPEK-0001")),
        "readings",
        "behind this gateway",
    ),
    (
        lambda b: resigned(leaves(b, "asset_kind")[0], lambda x: x.update(asset_kind="solar")),
        "readings",
        "a connection is read",
    ),
    (
        lambda b: resigned(leaves(b, "reading_batch")[0], lambda x: x.update(gateway="HEPEK-0001")),
        "readings",
        "reads its own meters",
    ),
    (
        lambda b: resigned(leaves(b, "asset_kind")[0], lambda x: x.update(register=x["register"] + 1)),
        "readings",
        "what is read is what is registered",
    ),
    (lambda b: read_anew(b, start_s=b["slot_s"] - 900), "readings", "a record is of this slot"),
    (lambda b: read_anew(b, seconds=60), "readings", "a record is of this slot"),
    (lambda b: read_anew(b, register=7), "readings", "what is read is what is registered"),
    (lambda b: sign_records(b, b"\xff" * ITEM_BYTES), "readings", "item 0"),
    (lambda b: b["reading"].update(record=forged_record(b)), "readings", "in the batch that was signed"),
    (lambda b: b["reading"].update(index=b["reading"]["index"] + 1), "readings", "in the batch that was signed"),
    (lambda b: b["reading"].update(path=b["reading"]["path"][:-1]), "readings", "in the batch that was signed"),
    (lambda b: b["reading"].update(path=[*b["reading"]["path"], "0" * 64]), "readings", "in the batch that was signed"),
    (
        lambda b: resigned(leaves(b, "reading_batch")[0], lambda x: x.update(count=x["count"] + 100)),
        "readings",
        "in the batch that was signed",
    ),
    (
        lambda b: read_anew(b, import_wh=7),
        "energy",
        "booked in is what was metered: booked .*, metered 7",
    ),
    (
        lambda b: read_anew(b, export_wh=7),
        "energy",
        "booked out is what was metered: booked 0, metered 7",
    ),
    (lambda b: resigned(leaves(b, "fact")[0], lambda x: x.update(start_s=b["slot_s"] + 900)), "prices", "slot's price"),
    (lambda b: resigned(leaves(b, "fact")[0], lambda x: x.update(start_s=b["slot_s"] - 1)), "prices", "slot's price"),
    (
        lambda b: resigned(leaves(b, "fact")[0], lambda x: x.update(prices=[[90_000, 80_000]] * 400)),
        "auction",
        "what the auction gives",
    ),
    (lambda b: resigned(own_order(b), lambda x: x.update(slot_s=b["slot_s"] + 900)), "orders", "for this slot"),
    (lambda b: own_order(b).update(stamped_s=b["slot_s"] + 60), "orders", "before the gate"),
    (
        lambda b: put(b, own_order(b) | {"position": own_order(b)["position"] + 15}),
        "auction",
        "what the auction gives",
    ),
    (lambda b: resigned(own_order(b), lambda x: x.update(energy_wh=9)), "auction", "what the auction gives"),
    (lambda b: b["trades"][0].update(energy_wh=1), "auction", "what the auction gives"),
    (leave_out_order, "auction", "what the auction gives"),
    (deliver_too_much, "energy", "was traded, and no more"),
    (lambda b: entries(b, "energy_wh")[0].update(ref="1/2"), "energy", "was traded, and no more"),
    (lambda b: entries(b, "energy_wh")[0].update(amount=1), "energy", "booked in is what was metered"),
    (hand_out("grid import", "grid"), "energy", "comes from the grid"),
    (hand_out("grid export", "member-99"), "energy", "goes to the grid"),
    (hand_out("watt delivery", "losses"), "energy", "from member to member"),
    (hand_out("watt delivery", "member-99"), "energy", "booked out is what was metered: booked 1"),
    (hand_out("gift", "member-99"), "energy", "settles energy or money"),
    (lambda b: entries(b, "ergon_micro")[0].update(commodity="watt_wh"), "energy", "settles energy or money"),
    (lambda b: entries(b, "ergon_micro")[0].update(amount=1), "money", "money is the energy's at its price"),
    (pay_twice, "money", "paid once"),
    (no_trade, "money", "money is the energy's at its price"),
]


def test_what_is_sealed_again_unchanged_is_fair() -> None:
    assert check(sealed(opened())).ok


@pytest.mark.parametrize(("lie", "name", "wrong"), LIES)
def test_a_lie_of_the_operator_breaks_the_rule_it_is_about(
    lie: Callable[[Json], object], name: str, wrong: str
) -> None:
    bundle = opened()
    lie(bundle)
    refused(check(sealed(bundle)), name, wrong)


def test_a_note_over_other_books_is_refused() -> None:
    bundle = json.loads(sealed(opened()))
    bundle["sections"] = opened()["sections"]
    refused(check(encode(bundle)), "books", "signed state root")


@pytest.mark.parametrize(
    ("memo", "told", "payer", "owed"),
    [
        ("trade", (500, 100), "me", 600),
        ("grid import", (500, 100), "me", 1000),
        ("grid import", (-500, -600), "grid", 1000),
        ("grid import", (0, -600), "me", 0),
    ],
)
def test_a_price_below_zero_turns_the_money_round(memo: str, told: tuple[int, int], payer: str, owed: int) -> None:
    me, other = AccountId("me"), AccountId("you" if memo == "trade" else "grid")
    trade = Trade(buyer=me, seller=other, bid=OrderId("1"), ask=OrderId("2"), energy_wh=2000, price_micro_per_kwh=300)
    ref = "1/2" if memo == "trade" else ""
    got = Entry(commodity=Commodity.ENERGY, source=other, target=me, amount=2000, memo=memo, slot_s=0, ref=ref)
    payee = other if payer == me else me
    paid = replace(got, commodity=Commodity.ERGON, source=AccountId(payer), target=payee, amount=owed or 1)

    def settled(*booked: Entry) -> Bundle:
        shown = [ShownEntry(entry=one, path=[]) for one in booked]
        return Bundle(
            format="",
            community="",
            account=me,
            slot_s=0,
            note="",
            sections=[],
            leaves=[],
            reading=ShownItem(record="0" * 96, index=0, path=[]),
            entries=shown,
            trades=[trade],
        )

    assert money(settled(got, paid) if owed else settled(got), told)
    with pytest.raises(Refused, match="money is the energy's at its price"):
        money(settled(got) if owed else settled(got, paid), told)
