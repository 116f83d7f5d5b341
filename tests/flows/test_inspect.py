"""An inspector reads one asset, while its owner or the law allows it, and nothing else."""

import json

import pytest
from community import NAME, NOON, Community, Flow, gateway, instruction, key
from hypothesis import given, settings
from hypothesis import strategies as st
from professionals import BATTERY, attest, authorise, inspected, limits, revoke, staffed, words
from test_chain import close
from test_rulebook_delegating import grant

from commonwatt.flows.evidence import encode
from commonwatt.flows.inspect import Dossier, ReadRight, dossier
from commonwatt.flows.prove import final_note
from commonwatt.flows.rulebook.identity.trust_bodies import Qualify, Revoke
from commonwatt.flows.sequence import replay
from commonwatt.identity.credentials import ProfessionalQualification, key_urn
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import verify_inclusion
from commonwatt.metering.batch import decode_items, verify_item
from commonwatt.model import SLOT_SECONDS, Kind, Outcome, Refused

LATER = NOON + 100 * SLOT_SECONDS


def street() -> Community:
    """Return a community in which a good deal has happened to everybody's things."""
    community = staffed()
    attest(community, words("engineer", limits(max_import_w=3_000)), "engineer")
    credential = words("inspector", inspected("pass"))
    attest(community, credential, "inspector")
    attest(community, words("engineer", limits("ben-battery", max_import_w=4_000)), "engineer", "ben-battery")
    for member in community.members:
        community.schedule(f"{member}-battery", instruction(2_000))
    for _ in range(3):
        community.live(anna=Flow(load_wh=100, charge_wh=400), ben=Flow(charge_wh=300))
    revoke(community, credential, "inspector")
    close(community)
    return community


def allow(community: Community, until_s: int = LATER, by: str = "anna", assets: tuple[str, ...] = (BATTERY,)) -> None:
    body = grant("inspector", "inspect", until_s=until_s, assets=assets)
    assert community.ask(by, Kind.DELEGATE, body) is Outcome.BOOKED


def look(community: Community, who: str = "inspector", asset: str = BATTERY, at_s: int | None = None) -> Dossier:
    rows = community.rows()
    note, _ = final_note(rows)
    now = replay(rows, "tiny", keep=True)
    at_s = community.now_s if at_s is None else at_s
    return dossier(now.state, now.whole_tree(), rows, note, key(who).id, asset, at_s)


def denied(community: Community, who: str = "inspector", asset: str = BATTERY, at_s: int | None = None) -> None:
    with pytest.raises(Refused, match="what owner or law allows"):
        look(community, who, asset, at_s)


@pytest.mark.row("X12")
def test_an_inspector_reads_exactly_what_belongs_to_the_asset_with_proofs() -> None:
    community = street()
    allow(community)
    found = look(community)
    kinds = [json.loads(leaf.body)["kind"] for leaf in found.leaves]
    assert sorted(set(kinds)) == ["attest", "reading_batch", "register", "schedule"]
    assert [kinds.count(kind) for kind in ("register", "attest", "schedule", "reading_batch")] == [1, 3, 1, 3]
    assert (found.right.by, found.right.until_s, found.suspended) == ("delegation", LATER, True)
    assert (found.asset.max_import_w, found.attested.claimed.max_import_w) == (3_000, 20_000)
    point, rows = read_note(found.note), {row.position: row for row in community.rows()}
    for leaf in found.leaves:
        row = rows[leaf.position]
        again = LeafRow(
            position=leaf.position,
            stamped_s=leaf.stamped_s,
            salt=bytes.fromhex(leaf.salt),
            body=leaf.body.encode(),
            outcome=leaf.outcome,
            author="",
            seq=0,
            owner="",
            closes=leaf.closes,
        )
        assert again.data() == row.data()
        proof = [bytes.fromhex(step) for step in leaf.proof]
        assert verify_inclusion(again.data(), leaf.position, point.size, proof, point.log_root)
    heads = {leaf.position: json.loads(leaf.body)["body"] for leaf in found.leaves}
    told = []
    for batch in found.readings:
        head = heads[batch.position]
        for shown in batch.items:
            path = [bytes.fromhex(step) for step in shown.path]
            record = bytes.fromhex(shown.record)
            assert verify_item(record, shown.index, head["count"], path, bytes.fromhex(head["root"]))
            told += decode_items(record)
    assert [(item.start_s, item.register, item.import_wh) for item in told] == [
        (NOON + n * SLOT_SECONDS, 2, 400) for n in range(3)
    ]


@pytest.mark.row("X12")
def test_nothing_of_another_asset_member_or_market_is_in_a_dossier() -> None:
    community = street()
    allow(community)
    text = encode(look(community)).decode()
    for foreign in ("ben", "anna-home", "anna-solar", '\\"kind\\":\\"purchase', '\\"kind\\":\\"fact', "personal"):
        assert foreign not in text.replace('"personal":""', "")
    home = [row for row in community.rows() if row.owner == gateway("anna") and row.items]
    (first, *_) = (item for item in decode_items(home[0].items) if item.register == 0)
    assert first.import_wh == 500
    assert home[0].items[:48].hex() not in text, "the home's own record stays hidden"


@pytest.mark.row("X12")
def test_an_inspector_of_one_asset_sees_no_other() -> None:
    community = street()
    allow(community)
    for other in ("anna-home", "anna-solar", "ben-battery", "feeder", "nothing"):
        denied(community, asset=other)
    for who in ("engineer", "installer", "ben", "operator", "planner", "gw-anna", "stranger"):
        denied(community, who)


@pytest.mark.row("X12")
def test_nothing_after_the_date_and_nothing_after_it_was_taken_back() -> None:
    community = street()
    allow(community, until_s=community.now_s + 60)
    assert look(community, at_s=community.now_s + 59)
    denied(community, at_s=community.now_s + 60)
    allow(community)
    assert look(community)
    community.ask("anna", Kind.DELEGATE, Revoke(to=key("inspector").public.hex()))
    denied(community)


def test_a_grant_of_everything_but_inspection_shows_nothing() -> None:
    community = street()
    community.ask("anna", Kind.DELEGATE, grant("inspector", "order", "consent", "constraint", until_s=LATER))
    denied(community)
    community.ask("anna", Kind.DELEGATE, grant("inspector", "inspect", until_s=LATER))
    assert look(community, asset="anna-home").readings
    denied(community, asset="ben-battery")


@pytest.mark.row("X12")
def test_the_law_opens_one_asset_to_one_inspector_until_a_date() -> None:
    community = street()
    assert authorise(community, "inspector", community.now_s + 60) is Outcome.BOOKED
    assert look(community).right.by == "law"
    denied(community, asset="anna-home")
    denied(community, at_s=community.now_s + 60)
    assert authorise(community, "inspector", community.now_s) is Outcome.BOOKED
    denied(community)


@pytest.mark.row("X12")
def test_the_law_opens_nothing_to_an_inspector_who_is_none_any_more() -> None:
    community = street()
    claim = ProfessionalQualification(id=key_urn(NAME, key("inspector").id), role="inspector", licence="L 2")
    word = words("operator", claim, NOON - 99, community.now_s + 60)
    assert community.ask("operator", Kind.ATTEST, Qualify(credential=word)) is Outcome.BOOKED
    assert authorise(community, "inspector", LATER) is Outcome.BOOKED
    assert look(community).right == ReadRight(by="law", until_s=community.now_s + 60)
    denied(community, at_s=community.now_s + 60)
    assert revoke(community, word, "operator", None) is Outcome.BOOKED
    denied(community)
    # What the owner allows by hand is the owner's affair.
    allow(community)
    assert look(community).right.by == "delegation"


@pytest.mark.row("X12")
def test_the_law_opens_nothing_to_who_was_never_qualified() -> None:
    community = Community(1)
    assert community.register_key("inspector", "inspector", "inspector") is Outcome.BOOKED
    close(community)
    assert authorise(community, "inspector", LATER) is Outcome.BOOKED
    denied(community)


def test_owners_read_their_own_without_leave() -> None:
    community = street()
    assert look(community, "anna").right.by == "owner"
    denied(community, "ben")


def test_a_window_bounds_readings_and_schedules_but_not_what_is_attested() -> None:
    community = street()
    rows = community.rows()
    note, _ = final_note(rows)
    now = replay(rows, "tiny", keep=True)
    args = (now.state, now.whole_tree(), rows, note, key("anna").id, BATTERY, community.now_s)
    found = dossier(*args, since_s=NOON + 2 * SLOT_SECONDS)
    assert [len(batch.items) for batch in found.readings] == [1]
    kinds = [json.loads(leaf.body)["kind"] for leaf in found.leaves]
    assert (kinds.count("schedule"), kinds.count("attest"), kinds.count("register")) == (0, 3, 1)


def test_what_came_after_the_note_waits_for_the_next() -> None:
    community = street()
    before = look(community, "anna")
    community.live(anna=Flow(charge_wh=100))
    assert look(community, "anna").readings == before.readings
    close(community)
    assert len(look(community, "anna").readings) == len(before.readings) + 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["grant", "law", "revoke", "end"]), st.integers(-2, 3)), max_size=5),
    st.integers(-1, 4),
)
def test_a_right_to_read_is_exactly_what_the_last_words_say(story: list[tuple[str, int]], hours: int) -> None:
    """The oracle is two dates, the owner's and the law's, and that the law knows no inspector before the first word."""
    community, owner_s, law_s = staffed(1), 0, 0
    close(community)
    for what, number in story:
        until_s = community.now_s + 3600 * number
        if what == "grant":
            body = grant("inspector", "inspect", until_s=until_s, assets=(BATTERY,))
            if community.ask("anna", Kind.DELEGATE, body) is Outcome.BOOKED:
                owner_s = until_s
        elif what == "law":
            assert authorise(community, "inspector", until_s) is Outcome.BOOKED
            law_s = until_s
        elif what == "revoke":
            community.ask("anna", Kind.DELEGATE, Revoke(to=key("inspector").public.hex()))
            owner_s = 0
        else:
            authorise(community, "inspector", 0)
            law_s = 0
    at_s = community.now_s + 3600 * hours
    if at_s < max(owner_s, law_s if at_s >= NOON - 100 else 0):
        assert look(community, at_s=at_s)
    else:
        denied(community, at_s=at_s)
