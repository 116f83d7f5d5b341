"""Tokens leave for the chain on the real app: one ERGON is sent out, anchored, claimed, and seen there."""

import pytest
from playwright.sync_api import Page, expect

from browser.test_wallet_page import serious
from browser.visitor import Visit
from commonwatt.identity.signing_in.wallet import with_checksum

ADDRESS = with_checksum("0x" + 20 * "ab")
WITHIN_MS = 60_000


def open_for(visit: Visit, seat: str, size: str = "phone") -> Page:
    """Open a wallet once tokens can leave it."""
    page = visit(seat, size).go("/wallet")
    expect(page.get_by_role("button", name="Send out")).to_be_visible(timeout=WITHIN_MS)
    return page


@pytest.mark.row("E11")
def test_a_member_sends_one_ergon_out_and_claims_it_once_it_is_anchored(sits_by_the_chain: Visit) -> None:
    page = open_for(sits_by_the_chain, "member-03")
    page.get_by_label("Address", exact=True).fill(ADDRESS)
    page.get_by_label("Address", exact=True).press("Tab")
    expect(page.get_by_text("Its checksum holds.")).to_be_visible()
    page.locator("#field-out-amount").fill("1")
    page.get_by_role("button", name="Send out").click()
    page.get_by_role("button", name="Now").click()
    claim = page.get_by_role("button", name="Claim")
    expect(claim).to_be_visible(timeout=WITHIN_MS)
    assert serious(page) == []
    claim.click()
    expect(page.get_by_text("claimed", exact=True)).to_be_visible(timeout=WITHIN_MS)
    page.get_by_role("button", name="What is there?").click()
    expect(page.locator("#said")).to_contain_text("There are 1.000\N{NO-BREAK SPACE}ERGON")


def test_an_address_with_a_wrong_digit_is_refused_while_it_is_typed(sits_by_the_chain: Visit) -> None:
    page = open_for(sits_by_the_chain, "member-04")
    wrong = ADDRESS[:-1] + ADDRESS[-1].swapcase()
    page.get_by_label("Address", exact=True).fill(wrong)
    page.get_by_label("Address", exact=True).press("Tab")
    page.locator("#field-out-amount").fill("1")
    page.get_by_role("button", name="Send out").click()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


@pytest.mark.row("M5")
def test_a_member_names_where_its_own_goes_if_the_operator_stops(sits_by_the_chain: Visit) -> None:
    page = open_for(sits_by_the_chain, "member-04")
    expect(page.get_by_text("It is that of the key registered last.")).to_be_visible()
    page.get_by_label("Address of my own wallet").fill(ADDRESS)
    page.get_by_label("Address of my own wallet").press("Tab")
    page.get_by_role("button", name="Name it").click()
    expect(page.get_by_text("It was named.")).to_be_visible(timeout=WITHIN_MS)
    assert serious(page) == []


@pytest.mark.row("M5")
@pytest.mark.parametrize("seat", ["member-03", "operator", "auditor"])
def test_the_chain_shows_what_is_final_and_the_proof_names_the_transaction(sits_by_the_chain: Visit, seat: str) -> None:
    page = sits_by_the_chain(seat).go("/chain")
    expect(page.get_by_text("stand on the chain, in block")).to_be_visible(timeout=WITHIN_MS)
    expect(page.get_by_text("Checkpoints, and the stake behind them")).to_be_visible()
    assert serious(page) == []
    page = sits_by_the_chain(seat, "desktop").go("/proof")
    expect(page.get_by_text("Transaction", exact=True)).to_be_visible()


@pytest.mark.row("H3")
def test_a_member_opens_a_channel_has_it_closed_and_begins_to_end_another(sits_by_the_chain: Visit) -> None:
    page = open_for(sits_by_the_chain, "member-06")
    card = page.locator(".card", has=page.get_by_role("heading", name="My channels"))
    expect(card.get_by_label("Deposit, ERGON")).to_be_visible(timeout=WITHIN_MS)
    own = card.locator("code").last.inner_text()
    page.get_by_label("Address", exact=True).fill(own)
    page.locator("#field-out-amount").fill("3")
    page.get_by_role("button", name="Send out").click()
    page.get_by_role("button", name="Now").click()
    page.get_by_role("button", name="Claim").click(timeout=WITHIN_MS)
    expect(card.get_by_text("3.000\N{NO-BREAK SPACE}ERGON")).to_be_visible(timeout=WITHIN_MS)
    assert serious(page) == []
    for amount in ("2", "1"):
        card.get_by_label("Deposit, ERGON").fill(amount)
        card.get_by_role("button", name="Open it").click()
        card.get_by_role("button", name="Deposit it?").click()
        expect(page.locator("#said")).to_contain_text("The channel is open.", timeout=WITHIN_MS)
        expect(card.get_by_text(f"claimed of {amount}.000", exact=False)).to_be_visible()
        if amount == "2":
            card.get_by_role("button", name="Close", exact=True).click()
            card.get_by_role("button", name="Close it?").click()
            expect(card.get_by_text("closed", exact=True)).to_be_visible(timeout=WITHIN_MS)
    card.get_by_role("button", name="End it without the payee").click()
    card.get_by_role("button", name="Begin?").click()
    expect(card.get_by_text("it ends on")).to_be_visible(timeout=WITHIN_MS)
    assert serious(page) == []
