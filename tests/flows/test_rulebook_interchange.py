"""Communities trade: each ledger books its side only on proof that the other has prepared, or lets go for good."""

from itertools import permutations

import pytest
from community import IMPORT, NOON, PREPAID, Flow
from msgspec import structs
from two_towns import LASTS_S, SUNNY, Town, agreed, document, note_key, prepare, town_key, towns
from watched import ANNE, BOB, CARL

from commonwatt.flows.interchange_words import prove_word
from commonwatt.flows.rulebook.market.interchange import interchange as rules
from commonwatt.flows.rulebook.market.interchange import interchange_bodies as bodies
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.ledger.checkpoint import Checkpoint, sign_note, split_note, vkey
from commonwatt.ledger.cosign import cosignature_line
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import MICRO, Commodity, Kind, Outcome, cost_micro

pytestmark = pytest.mark.row("E15")
WATT, ERGON = Commodity.WATT, Commodity.ERGON
REFUSE = {town: bodies.Refuse(community=other, number=1) for town, other in (("east", "west"), ("west", "east"))}


def prepared() -> tuple[Town, Town]:
    """Return two towns that have both prepared number 1."""
    east, west = towns()
    for town, body in zip((east, west), agreed(east, west, document()), strict=True):
        assert town.say(body) is Outcome.BOOKED
    return east, west


def proof_of(town: Town, number: int = 1) -> bodies.Proof:
    row = town.word(number)
    assert row is not None
    return town.proof(row)


def test_watt_goes_one_way_and_ergon_the_other_across_two_ledgers() -> None:
    east, west = prepared()
    assert (east.watt("anna"), east.held("west")) == (710, 100)
    assert (west.ergon("ben"), west.held("east")) == (PREPAID - 21_000, 21_000)
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert west.hear("east", 1, proof_of(east)) is Outcome.BOOKED
    assert (east.watt("anna"), east.ergon("anna")) == (710, PREPAID + 20_000)
    assert (west.watt("ben"), west.ergon("ben"), west.ergon("operator")) == (100, PREPAID - 21_000, 1_000)
    assert (east.owed("west", WATT), east.owed("west", ERGON)) == (100, -20_000)
    for commodity in Commodity:
        assert east.owed("west", commodity) + west.owed("east", commodity) == 0, "zero when both are summed"
    assert east.held("west") == west.held("east") == 0
    assert east.hear("west", 1, proof_of(west)) is Outcome.UNKNOWN_THING, "a repeat changes nothing"
    for town in (east, west):
        town.restart(snapshot=True)


def test_any_member_may_carry_the_other_log_s_word_so_that_no_operator_sits_on_it() -> None:
    east, west = prepared()
    word = bodies.Decide(community="east", number=1, proof=proof_of(east))
    assert west.ask("ben", Kind.INTERCHANGE, word) is Outcome.BOOKED
    assert (west.watt("ben"), west.ergon("operator")) == (100, 1_000), "the fee is the operator's, whoever carries"
    assert west.ask("ben", Kind.INTERCHANGE, prepare(document(2))) is Outcome.NOT_ALLOWED
    assert west.ask("dso", Kind.INTERCHANGE, word) is Outcome.NOT_ALLOWED
    west.restart(snapshot=True)


def test_a_side_that_nobody_answers_waits_however_long() -> None:
    east, west = towns()
    mine, _ = agreed(east, west, document(decide_by_s=east.now_s + 100))
    assert east.say(mine) is Outcome.BOOKED
    east.now_s += 40 * 86_400
    east.agree("anna", "anna-battery")
    assert (east.watt("anna"), east.held("west")) == (710, 100)
    west.now_s = east.now_s
    assert west.say(REFUSE["west"]) is Outcome.BOOKED
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert (east.watt("anna"), east.held("west")) == (810, 0)


def test_what_was_refused_is_never_prepared_and_what_was_prepared_never_refused() -> None:
    east, west = towns()
    mine, theirs = agreed(east, west, document())
    assert west.say(REFUSE["west"]) is Outcome.BOOKED
    assert west.say(theirs) is Outcome.ALREADY_THERE
    assert west.say(REFUSE["west"]) is Outcome.ALREADY_THERE
    assert east.say(mine) is Outcome.BOOKED
    assert east.say(REFUSE["east"]) is Outcome.ALREADY_THERE
    assert east.say(mine) is Outcome.ALREADY_THERE
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert east.say(REFUSE["east"]) is Outcome.ALREADY_THERE, "nor once it is decided"
    assert east.say(prepare(document(), east.reserve("anna", document()))) is Outcome.ALREADY_THERE
    assert (east.watt("anna"), east.held("west")) == (810, 0)


def test_nothing_is_prepared_after_its_time() -> None:
    east, west = towns()
    late = document(decide_by_s=east.now_s + 10)
    mine, theirs = agreed(east, west, late)
    east.now_s, west.now_s = east.now_s + 9, west.now_s + 10
    assert east.say(mine) is Outcome.BOOKED
    assert west.say(theirs) is Outcome.TOO_LATE
    assert west.word(1) is None


def test_another_document_under_the_number_can_never_be_matched_so_both_let_go() -> None:
    east, west = towns()
    mine, _ = agreed(east, west, document())
    _, theirs = agreed(east, west, document(energy_wh=101))
    assert east.say(mine) is Outcome.BOOKED
    assert west.say(theirs) is Outcome.BOOKED
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert west.hear("east", 1, proof_of(east)) is Outcome.BOOKED
    assert (east.watt("anna"), west.ergon("ben"), east.held("west"), west.held("east")) == (810, PREPAID, 0, 0)
    assert east.owed("west", WATT) == west.owed("east", WATT) == 0


def test_a_proof_that_is_changed_anywhere_is_believed_nowhere() -> None:
    east, west = prepared()
    good = proof_of(west)
    other = "00" * 32
    for wrong in (
        {"note": good.note.replace("east", "west").replace("west\n", "wesT\n")},
        {"note": good.note[:-8] + "AAAAAA=\n"},
        {"note": ""},
        {"body": good.body.replace('"energy_wh":100', '"energy_wh":101')},
        {"body": good.body + " "},
        {"body": "{}"},
        {"body": "[" * 9_000},
        {"outcome": Outcome.NOT_BACKED},
        {"outcome": Outcome.MALFORMED},
        {"position": good.position - 1},
        {"position": 10**9},
        {"path": good.path[:-1]},
        {"path": (*good.path, other)},
        {"path": (other, *good.path[1:])},
        {"salt": other},
        {"stamped_s": good.stamped_s + 1},
        {"closes": not good.closes},
    ):
        assert east.hear("west", 1, structs.replace(good, **wrong)) is Outcome.NOT_ALLOWED, wrong
    assert east.held("west") == 100
    assert east.hear("west", 1, good) is Outcome.BOOKED


def test_only_the_log_and_operator_that_were_registered_are_believed() -> None:
    east, west = prepared()
    row = west.word(1)
    assert row is not None
    forged = sign_note(west.sequencer.checkpoint(west.slot_s).note_text(), "west", note_key("forger").private)
    assert east.hear("west", 1, structs.replace(west.proof(row), note=forged)) is Outcome.NOT_ALLOWED
    assert east.hear("west", 1, proof_of(east)) is Outcome.NOT_ALLOWED, "its own word is not the other's"
    assert east.hear("north", 1, proof_of(west)) is Outcome.UNKNOWN_THING
    assert east.hear("west", 2, proof_of(west)) is Outcome.UNKNOWN_THING


def test_a_refused_request_and_one_by_another_author_prove_nothing() -> None:
    east, west = towns()
    mine, theirs = agreed(east, west, document())
    assert east.say(mine) is Outcome.BOOKED
    assert west.ask("ben", Kind.INTERCHANGE, REFUSE["west"]) is Outcome.NOT_ALLOWED
    by_ben = west.rows()[-1]
    assert east.hear("west", 1, west.proof(by_ben)) is Outcome.NOT_ALLOWED
    assert east.hear("west", 1, structs.replace(west.proof(by_ben), outcome=Outcome.BOOKED)) is Outcome.NOT_ALLOWED
    assert west.say(theirs) is Outcome.BOOKED
    assert west.say(REFUSE["west"]) is Outcome.ALREADY_THERE
    in_vain = west.proof(west.rows()[-1])
    assert east.hear("west", 1, in_vain) is Outcome.NOT_ALLOWED, "a refusal that came too late is none"


@pytest.mark.parametrize("wrong", ["signature", "author", "kind", "community", "what"])
def test_a_leaf_that_the_other_operator_did_not_sign_proves_nothing_even_under_its_checkpoint(wrong: str) -> None:
    """Who holds a log's checkpoint key can write any leaf, but not what only the operator's own key says."""
    east, west = prepared()
    wire = west.wire("operator", Kind.INTERCHANGE, REFUSE["west"], seq=99)
    said = {
        "signature": wire[:-4] + (b"0" if wire[-4:-3] != b"0" else b"1") + wire[-3:],
        "author": west.wire("ben", Kind.INTERCHANGE, REFUSE["west"], account="operator", seq=99),
        "kind": west.wire("operator", Kind.AUCTION, REFUSE["west"], seq=99),
        "community": west.wire("operator", Kind.INTERCHANGE, REFUSE["west"], seq=99, community="north"),
        "what": west.wire("operator", Kind.INTERCHANGE, bodies.Refuse(community="east", number=2), seq=99),
    }

    def shown(body: bytes) -> bodies.Proof:
        row = structs.replace(west.rows()[-1], position=0, body=body, closes=True)
        tree = MerkleTree([row.data()])
        point = Checkpoint(origin="west", size=1, log_root=tree.root(), state_root=bytes(32), slot_s=NOON)
        return prove_word(row, tree, sign_note(point.note_text(), "west", note_key("west").private), 1)

    assert east.hear("west", 1, shown(said[wrong])) is Outcome.NOT_ALLOWED
    assert east.hear("west", 1, shown(wire)) is Outcome.BOOKED, "nothing else is wrong with it"


def test_a_word_to_a_third_community_under_the_same_number_decides_nothing() -> None:
    east, west = towns()
    north = Town("north")
    for one, other in ((west, "north"), (north, "west"), (east, "north")):
        assert one.knows(other) is Outcome.BOOKED
    mine, _ = agreed(east, west, document())
    assert east.say(mine) is Outcome.BOOKED
    assert west.say(bodies.Refuse(community="north", number=1)) is Outcome.BOOKED
    assert east.hear("west", 1, west.proof(west.rows()[-1])) is Outcome.NOT_ALLOWED
    told = document(giver="north")
    assert west.say(prepare(told, west.reserve("ben", told))) is Outcome.ALREADY_THERE
    told = document(2, giver="north")
    assert west.say(prepare(told, west.reserve("ben", told))) is Outcome.BOOKED
    both = document(2)
    assert east.say(prepare(both, east.reserve("anna", both))) is Outcome.BOOKED
    assert east.hear("west", 2, west.proof(west.rows()[-1])) is Outcome.NOT_ALLOWED
    assert east.held("west") == 200


def test_both_operators_sign_a_document_and_the_members_agree_to_it() -> None:
    east, west = towns()
    told = document()
    mine = prepare(told, east.reserve("anna", told))
    other = prepare(document(energy_wh=99))
    swapped = structs.replace(mine, giver_signature=mine.taker_signature, taker_signature=mine.giver_signature)
    for wrong in (
        structs.replace(mine, taker_signature=other.taker_signature),
        structs.replace(mine, giver_signature=other.giver_signature),
        swapped,
    ):
        assert east.say(wrong) is Outcome.NOT_ALLOWED
    assert east.ask("anna", Kind.INTERCHANGE, mine) is Outcome.NOT_ALLOWED
    assert east.say(prepare(told)) is Outcome.NOT_BACKED, "nobody's WATT goes without their word"
    assert east.say(prepare(document(seller="nobody"))) is Outcome.UNKNOWN_THING
    assert east.say(prepare(document(giver="north"))) is Outcome.UNKNOWN_THING
    assert east.say(structs.replace(mine, document=document(giver="west"))) is Outcome.NOT_ALLOWED
    dear = document(price_micro_per_kwh=190_000)
    assert east.say(prepare(dear, mine.reservation)) is Outcome.NOT_ALLOWED, "less than anna asked for"
    less = document(energy_wh=99)
    assert east.say(prepare(less, mine.reservation)) is Outcome.NOT_ALLOWED
    assert east.say(prepare(document(seller="ben"), mine.reservation)) is Outcome.NOT_ALLOWED
    theirs = west.reserve("ben", told)
    assert west.say(prepare(document(energy_wh=99), theirs)) is Outcome.NOT_ALLOWED, "less than ben asked for"
    assert west.say(prepare(document(energy_wh=101), theirs)) is Outcome.NOT_BACKED, "more than ben set aside"
    free = wallets.Reserve(target="operator", commodity=WATT, amount=100, until_s=east.now_s + LASTS_S)
    name = str(len(east.sequencer.tree))
    assert east.ask("anna", Kind.TRANSFER, free) is Outcome.BOOKED
    assert east.say(prepare(told, name)) is Outcome.NOT_ALLOWED, "no word about what anna gets for it"
    assert east.held("west") == 0
    assert east.say(mine) is Outcome.BOOKED


def test_an_operator_trades_for_the_community_with_what_it_has_itself() -> None:
    east, west = towns()
    east.ask("anna", Kind.TRANSFER, wallets.Give(target="operator", commodity=WATT, amount=150))
    west.pay("operator", MICRO, "for the community")
    told = document(seller="operator", buyer="operator")
    assert east.say(prepare(told, "3")) is Outcome.NOT_ALLOWED
    assert east.say(prepare(document(seller="operator", energy_wh=151))) is Outcome.NOT_BACKED
    assert east.say(prepare(told)) is Outcome.BOOKED
    assert west.say(prepare(told)) is Outcome.BOOKED
    assert west.hear("east", 1, proof_of(east)) is Outcome.BOOKED
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert (west.watt("operator"), west.ergon("operator")) == (100, MICRO - 20_000), "the fee is its own"


def test_what_is_prepared_cannot_be_called_and_room_is_kept_for_what_comes() -> None:
    east, west = towns(b_max_wh=900)
    west.live(ben=SUNNY)
    told = document(energy_wh=90)
    mine, theirs = agreed(east, west, told)
    assert west.say(theirs) is Outcome.BOOKED
    west.ask("anna", Kind.TRANSFER, wallets.Give(target="ben", commodity=WATT, amount=1))
    assert west.watt("ben") == 810, "the room is spoken for"
    assert east.say(mine) is Outcome.BOOKED
    east.live(anna=Flow(load_wh=810, discharge_wh=810))
    assert (east.watt("anna"), east.held("west")) == (0, 90)
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert west.hear("east", 1, proof_of(east)) is Outcome.BOOKED
    assert west.watt("ben") == 900
    assert east.state.claims.total_wh == 90 == east.owed("west", WATT), "nothing that is only prepared was bought back"
    east.live(), east.live()
    assert east.state.claims.total_wh == 0 == east.owed("west", WATT)
    assert east.held("west") == cost_micro(90, IMPORT), "but what is owed abroad and gone was"
    over = document(2, energy_wh=1)
    assert west.say(prepare(over, west.reserve("ben", over))) is Outcome.OVER_LIMIT


def test_who_uses_up_at_home_what_was_sold_abroad_pays_the_import_price_for_it_and_owes_no_watt_any_more() -> None:
    east, west = towns()
    told = document(energy_wh=810)
    mine, theirs = agreed(east, west, told)
    assert (east.say(mine), west.say(theirs)) == (Outcome.BOOKED, Outcome.BOOKED)
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert west.hear("east", 1, proof_of(east)) is Outcome.BOOKED
    before = east.ergon("anna")
    east.live(anna=Flow(load_wh=810, discharge_wh=810))
    paid = cost_micro(810, IMPORT)
    assert east.ergon("anna") == before - paid
    assert (east.owed("west", WATT), east.owed("west", ERGON)) == (0, -told.read().cost_micro)
    assert east.held("west") == paid
    assert east.state.claims.total_wh == 0
    for _ in range(3):
        east.live()
    assert east.ergon("anna") == before - paid, "once"
    east.live(anna=SUNNY)
    assert east.watt("anna") == 810, "and her battery mints again"
    assert (west.watt("ben"), west.owed("east", WATT)) == (810, -810), "the other log has heard of nothing"
    for town in (east, west):
        assert all(town.state.accounts.total(commodity) == 0 for commodity in Commodity)
        town.restart(snapshot=True)
    east.booked()


def test_who_holds_watt_at_home_is_bought_back_from_first_and_then_communities_in_proportion() -> None:
    east, west = towns()
    north = Town("north")
    assert east.knows("north") is north.knows("east") is Outcome.BOOKED
    for other, number, wh in ((west, 1, 300), (north, 1, 301)):
        told = document(number, taker=other.name, energy_wh=wh)
        mine, theirs = agreed(east, other, told)
        assert (east.say(mine), other.say(theirs)) == (Outcome.BOOKED, Outcome.BOOKED)
        row = other.word(1)
        assert row is not None
        assert east.hear(other.name, 1, other.proof(row)) is Outcome.BOOKED
    assert east.ask("anna", Kind.TRANSFER, wallets.Give(target="ben", commodity=WATT, amount=209)) is Outcome.BOOKED
    before = east.ergon("ben")
    east.live(anna=Flow(load_wh=509, discharge_wh=509))
    assert east.ergon("ben") - before == cost_micro(209, IMPORT)
    # A level in whole Wh lacks one more: 301 Wh for 300 and 301 of 601.
    assert (east.owed("west", WATT), east.owed("north", WATT)) == (150, 150)
    assert (east.held("west"), east.held("north")) == (cost_micro(150, IMPORT), cost_micro(151, IMPORT))
    east.restart(snapshot=True)


def test_no_more_is_owed_either_way_than_the_neighbour_is_trusted_with() -> None:
    east, west = towns()
    assert east.knows("west", most_wh=150) is Outcome.BOOKED
    assert west.knows("east", most_micro=25_000) is Outcome.BOOKED
    first, second = document(1), document(2)
    mine, theirs = agreed(east, west, first)
    assert east.say(mine) is Outcome.BOOKED
    assert west.say(theirs) is Outcome.BOOKED
    mine, theirs = agreed(east, west, second)
    assert east.say(mine) is Outcome.OVER_LIMIT
    assert west.say(theirs) is Outcome.OVER_LIMIT
    assert east.hear("west", 1, proof_of(west)) is Outcome.BOOKED
    assert east.say(mine) is Outcome.OVER_LIMIT, "nor once the first is booked"
    back = document(3, giver="west", taker="east", seller="anna", buyer="ben")
    assert east.say(prepare(back, east.reserve("ben", back))) is Outcome.BOOKED, "what comes back lowers what is owed"
    assert east.knows("west") is Outcome.ALREADY_THERE, "nobody changes whom to believe while something is undecided"


def test_where_a_neighbour_has_witnesses_only_a_final_checkpoint_counts() -> None:
    east, west = prepared_with_witnesses()
    row = west.word(1)
    assert row is not None
    plain = west.proof(row)
    text = split_note(plain.note)[0]
    lines = [cosignature_line(text, w.name, w.note.private, NOON) for w in (ANNE, BOB, CARL)]
    one = structs.replace(plain, note=plain.note + lines[0])
    assert east.hear("west", 1, plain) is Outcome.NOT_ALLOWED
    assert east.hear("west", 1, one) is Outcome.NOT_ALLOWED
    assert east.hear("west", 1, structs.replace(one, note=one.note + lines[0])) is Outcome.NOT_ALLOWED
    assert east.hear("west", 1, structs.replace(one, note=one.note + lines[2])) is Outcome.BOOKED


def prepared_with_witnesses() -> tuple[Town, Town]:
    east, west = towns()
    cosigners = tuple(bodies.Cosigner(note=w.word) for w in (ANNE, BOB, CARL))
    assert east.knows("west", cosigners=(*cosigners, cosigners[0])) is Outcome.NOT_ALLOWED
    assert east.knows("west", cosigners=cosigners) is Outcome.BOOKED
    for town, body in zip((east, west), agreed(east, west, document()), strict=True):
        assert town.say(body) is Outcome.BOOKED
    return east, west


def test_a_neighbour_is_registered_with_keys_that_are_its_own() -> None:
    east = Town("east")
    assert east.knows("east") is Outcome.NOT_ALLOWED
    assert east.knows("west", operator="02" + "f" * 64) is Outcome.NOT_ALLOWED
    assert east.knows("west", note=vkey("north", note_key("north").public)) is Outcome.NOT_ALLOWED
    assert east.knows("west", note="west+00+zz") is Outcome.NOT_ALLOWED
    assert east.knows("west", cosigners=(bodies.Cosigner(note="x"),)) is Outcome.NOT_ALLOWED
    assert town_key("west", "operator").public != town_key("east", "operator").public
    names = [f"n{n}" for n in range(rules.MOST_NEIGHBOURS)]
    assert {east.knows(name) for name in names} == {Outcome.BOOKED}
    assert east.knows("one-more") is Outcome.OVER_LIMIT
    assert east.knows(names[0]) is Outcome.BOOKED


def test_no_member_can_have_the_name_of_a_neighbours_account() -> None:
    east, _ = towns()
    for name in ("neighbour:west", "neighbour:west:held"):
        body = {"what": "key", "public": "02" * 33, "alg": "secp256k1", "role": "member", "account": name}
        assert east.send(east.wire("operator", Kind.REGISTER, body)) is Outcome.MALFORMED
        assert not east.state.has_wallet(name)


def test_numbers_that_are_left_out_are_bounded_and_filling_them_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_GAPS", 3)
    east, _ = towns()

    def refuse(number: int) -> Outcome:
        return east.say(bodies.Refuse(community="west", number=number))

    assert [refuse(number) for number in (2, 4, 6)] == [Outcome.BOOKED] * 3
    assert refuse(8) is Outcome.OVER_LIMIT
    told = document(8)
    assert east.say(prepare(told, east.reserve("anna", told))) is Outcome.OVER_LIMIT
    assert refuse(3) is Outcome.BOOKED
    assert refuse(8) is Outcome.BOOKED
    known = east.state.neighbours.get("west")
    assert known is not None and known.spoken == ((2, 4), (6, 6), (8, 8))


def test_every_order_of_every_step_ends_alike_on_both_sides() -> None:
    """Each order has a document of its own; at its end whoever has not spoken refuses, and all words are heard."""
    east, west = towns()
    both = {"east": east, "west": west}
    orders = {
        order[:length]
        for refuser in ("east", "west")
        for order in permutations([("east", "p"), ("west", "p"), (refuser, "r"), ("east", "d"), ("west", "d")])
        for length in (3, 5)
    }
    for number, order in enumerate(sorted(orders), start=1):
        told = document(number, energy_wh=1, price_micro_per_kwh=7_000)
        for town in both.values():
            town.now_s += LASTS_S  # what members reserved for the last document, and nobody took, is free again
        asked = dict(zip(both, agreed(east, west, told), strict=True))
        before = {
            name: (town.watt("anna"), town.ergon("ben"), town.owed(_other(name), WATT)) for name, town in both.items()
        }
        for name, step in (*order, ("east", "r"), ("west", "r"), ("east", "d"), ("west", "d")):
            town, other = both[name], both[_other(name)]
            word = other.word_of.get(number)
            body = asked[name] if step == "p" else bodies.Refuse(community=other.name, number=number)
            if step != "d" and town.say(body) is Outcome.BOOKED:
                town.word_of[number] = town.rows()[-1]
            elif step == "d" and word is not None:
                town.hear(other.name, number, other.proof(word))
        words = {name: b'"what":"prepare"' in town.word_of[number].body for name, town in both.items()}
        done = all(words.values())
        assert east.held("west") == west.held("east") == 0, order
        assert east.owed("west", WATT) - before["east"][2] == done == before["west"][2] - west.owed("east", WATT), order
        for name, town in both.items():
            if not done:
                assert (town.watt("anna"), town.ergon("ben")) == before[name][:2], order


def _other(name: str) -> str:
    return "west" if name == "east" else "east"
