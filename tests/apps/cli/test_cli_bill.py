"""`commonwatt bill`: what a member pays, from a folder's log, as text, JSON, page, PDF, and an entry with its proof."""

import json
from pathlib import Path

import pytest
from community import EXPORT, IMPORT, NOON, PREPAID, Community, Flow
from test_cli_prove import command, folder_of

from commonwatt.apps.report.bill import number_runs
from commonwatt.apps.report.bill import told as report
from commonwatt.flows.billing import make_bill, prove_entry
from commonwatt.flows.evidence import climbed
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody
from commonwatt.identity.keys import NoteKey
from commonwatt.ledger.checkpoint import read_note, sign_note
from commonwatt.ledger.journal import entry_leaf
from commonwatt.ledger.merkle import merkle_root
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, Entry, InvalidValue, Kind, Refused, Side


@pytest.fixture(scope="module")
def community() -> Community:
    """Two days of a street that trades and shares; the second day comes to less."""
    terms = SettlementTerms(imbalance="grid", sharing=SharingBody(key="dynamic", fee_micro_per_kwh=20_000))
    community = Community(2, settlement=terms, priced_slots=220, correction_slots=8)
    community.order("ben", Side.BID, 1_000, IMPORT, NOON)
    community.order("anna", Side.ASK, 1_000, EXPORT, NOON)
    end_s = NOON + 150 * SLOT_SECONDS
    while community.slot_s < end_s:
        first = community.slot_s < NOON + 40 * SLOT_SECONDS
        community.live(anna=Flow(solar_wh=1_200 if first else 100), ben=Flow(load_wh=1_500 if first else 400))
    checkpoint(community)
    return community


def checkpoint(community: Community) -> None:
    text = community.sequencer.checkpoint(community.slot_s - SLOT_SECONDS).note_text()
    note = sign_note(text, "tiny", NoteKey.from_seed(b"tiny", "note").private)
    community.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note))


@pytest.fixture(scope="module")
def folder(community: Community, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(community, tmp_path_factory.mktemp("bills") / "run")


@pytest.mark.row("M2")
def test_a_bill_of_everything_is_what_the_account_changed_by(folder: Path, community: Community) -> None:
    for member in ("anna", "ben"):
        told = json.loads(command("bill", folder, member, "--json"))
        total = sum(line["amount_micro"] for line in told["lines"])
        assert community.ergon(member) == PREPAID - total
        assert told["purchases_micro"] == PREPAID
        numbers = [number for line in told["lines"] for number in line["entries"]]
        assert len(numbers) == len({*numbers})
        booked = community.booked()
        assert all(member in (booked[n].source, booked[n].target) for n in numbers)


def test_a_bill_is_text_that_people_read(folder: Path) -> None:
    text = command("bill", folder, "ben", "--from", "2026-06-02", "--to", "2026-06-03", "--vat", "energy=50")
    for words in ("Bill of ben", "Energy shared by neighbours", "Fee for the grid's wires", "To pay", "of which tax"):
        assert words in text
    assert "The period before" not in text, "the log begins at noon of the first of June"
    assert "Provisional" not in text, "two hours are all that a meter has to correct itself"


def test_as_many_days_before_are_compared_where_the_log_reaches_so_far(community: Community) -> None:
    state = replay(community.rows(), "tiny", keep=True).state
    for day, before in (("2026-06-02", None), ("2026-06-03", ("2026-06-02", "2026-06-03"))):
        after = f"2026-06-0{int(day[-1]) + 1}"
        if after == "2026-06-04":
            state.settled_to_s = NOON + 300 * SLOT_SECONDS  # as if the third day were over, with nothing in it
        told = make_bill(state, "ben", NOON, (day, after))
        assert told.before == (before and make_bill(state, "ben", NOON, before))
    compared = report(told, "Europe/London").before
    assert compared
    assert compared.startswith("The period before: £")
    assert "less came in (-90 %)" in compared


def test_a_whole_month_is_compared_with_the_month_before(community: Community) -> None:
    state = replay(community.rows(), "tiny", keep=True).state
    state.settled_to_s = NOON + 100 * 96 * SLOT_SECONDS
    told = make_bill(state, "ben", NOON - 40 * 86_400, ("2026-06-01", "2026-07-01"))
    assert told.before
    assert (told.from_s - told.before.from_s, told.before.to_s) == (31 * 86_400, told.from_s)


def test_page_and_pdf_hold_the_whole_bill_and_are_their_owners_alone(folder: Path, tmp_path: Path) -> None:
    page, paper = tmp_path / "bill.html", tmp_path / "bill.pdf"
    told = json.loads(command("bill", folder, "ben", "--html", page, "--pdf", paper, "--json"))
    text = page.read_text()
    assert text.count("<tr>") == 2 + len(told["lines"])
    assert "http" not in text, "a page brings everything along"
    first = paper.read_bytes()
    assert first.startswith(b"%PDF-")
    assert {page.stat().st_mode & 0o777, paper.stat().st_mode & 0o777} == {0o600}
    command("bill", folder, "ben", "--pdf", paper)
    assert paper.read_bytes() == first, "the same bill is the same file"


def test_each_line_can_be_proven_from_its_entries_to_the_signed_root(folder: Path) -> None:
    told = json.loads(command("bill", folder, "ben", "--json"))
    number = told["lines"][0]["entries"][0]
    shown = json.loads(command("bill", folder, "ben", "--entry", number))
    entry = Entry(**{**shown["entry"], "commodity": Commodity(shown["entry"]["commodity"])})
    assert AccountId("ben") in (entry.source, entry.target)
    assert climbed(entry_leaf(entry), shown["path"]).hex() == shown["sections"][0]
    root = merkle_root([bytes.fromhex(section) for section in shown["sections"]])
    assert root == read_note(shown["note"]).state_root


def test_what_cannot_be_billed_is_refused(folder: Path, community: Community) -> None:
    state = replay(community.rows(), "tiny", keep=True).state
    for member, span, error, match in (
        ("nobody", (None, None), Refused, "holds money"),
        ("ben", (None, "2026-07-01"), Refused, "settled"),
        ("ben", ("tomorrow", None), InvalidValue, "a day looks like"),
        ("ben", ("2018-W01-1", None), InvalidValue, "a day looks like"),
        ("ben", ("20180101", None), InvalidValue, "a day looks like"),
        ("ben", ("2018-02-30", None), InvalidValue, "a day looks like"),
        ("ben", ("\u0662\u0660\u0662\u0666-06-01", None), InvalidValue, "a day looks like"),
        ("ben", ("0001-01-01", "0001-01-02"), InvalidValue, "from 1970"),
        ("ben", ("0001-01-01", "0001-02-01"), InvalidValue, "from 1970"),
        ("ben", ("9999-12-31", None), InvalidValue, "to 2999"),
        ("ben", ("2026-06-02", "2026-06-02"), InvalidValue, "period"),
        ("ben", ("2026-06-01", "2026-05-01"), InvalidValue, "period"),
        ("ben", ("2026-06-02", "1970-01-01"), InvalidValue, "period"),
    ):
        with pytest.raises(error, match=match):
            make_bill(state, member, NOON, span)
    with pytest.raises(InvalidValue, match="rate of tax"):
        command("bill", folder, "ben", "--vat", "energy=5%")
    with pytest.raises(Refused, match="checkpoint"):
        prove_entry(state, "a note", len(state.entries))


def test_numbers_in_a_row_are_told_as_runs() -> None:
    assert number_runs([1, 2, 3, 7, 9, 10]) == ["1-3", "7", "9-10"]
    assert number_runs([]) == []
