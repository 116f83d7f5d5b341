"""A wallet on the real app: money goes from one browser to the other, is paid in, billed, and a key is taken along."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.visitor import Visit
from commonwatt.identity.keys import SigningKey

_SERIOUS = ("serious", "critical")


def serious(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    return [fault["id"] for fault in found.response["violations"] if fault["impact"] in _SERIOUS]


def held(page: Page) -> float:
    return float(page.locator("[data-live=ergon]").inner_text().strip("£"))


@pytest.mark.row("E11")
def test_money_is_sent_with_the_keyboard_alone_and_who_gets_it_sees_it_without_reloading(sits_at: Visit) -> None:
    giver, getter = sits_at("member-03").go("/wallet"), sits_at("member-07", "desktop", dark=True).go("/wallet")
    before = held(getter)
    giver.get_by_label("To", exact=True).focus()
    giver.keyboard.type("member-07")
    giver.keyboard.press("Escape")  # closes what the browser suggests
    giver.keyboard.press("Tab")
    giver.get_by_label("How much").focus()
    giver.keyboard.type("2.50")
    giver.keyboard.press("Tab")
    giver.keyboard.press("Enter")
    expect(giver.get_by_text("£2.50 goes to member-07.")).to_be_visible()
    giver.get_by_role("button", name="Now").click()
    expect(giver.get_by_text("Done", exact=True)).to_be_visible()
    expect(getter.locator("[data-live=ergon]")).to_have_text(f"£{before + 2.5:.2f}")
    assert serious(giver) == [] and serious(getter) == []
    newest = getter.get_by_role("list", name="History").locator("a").first
    assert str(newest.get_attribute("href")).startswith("/proof/entry/")
    newest.click()
    getter.wait_for_url("**/proof/entry/*")


@pytest.mark.row("E11")
def test_what_was_taken_back_in_time_is_not_sent_and_nonsense_is_refused(sits_at: Visit) -> None:
    page = sits_at("member-04").go("/wallet")
    before = held(page)
    page.get_by_label("To", exact=True).fill("member-05")
    page.get_by_label("How much").fill("1,000.5")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#said")).to_contain_text("an amount is written like 2.50")
    page.get_by_label("How much").fill("1")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Taken back: nothing was done")).to_be_visible()
    assert held(sits_at("member-04").go("/wallet")) == before


def test_play_money_comes_in_by_card_at_the_second_press(sits_at: Visit) -> None:
    page = sits_at("member-06").go("/wallet")
    before = held(page)
    pay = page.locator("button[data-send=pay]")
    pay.click()
    expect(pay).to_have_text("Pay £20?")
    pay.click()
    expect(page.locator("[data-live=ergon]")).to_have_text(f"£{before + 20:.2f}")


@pytest.mark.row("E11")
def test_a_bill_is_read_and_downloaded_and_a_key_is_taken_along(sits_at: Visit, tmp_path: Path) -> None:
    page = sits_at("member-01").go("/wallet")
    page.get_by_role("link", name="November 2018").click()
    expect(page.get_by_text("Energy bought from neighbours")).to_be_visible()
    assert serious(page) == []
    page.locator("details.small summary").first.click()
    proofs = page.locator("details.small a")
    assert serious(page) == []
    number = proofs.first.inner_text()
    proofs.first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Proof")
    assert page.url.endswith("/proof/entry/" + number.split()[-1])
    page.go_back()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download as PDF").click()
    assert waiting.value.suggested_filename == "bill-member-01-2018-11.pdf"
    assert Path(waiting.value.path()).read_bytes().startswith(b"%PDF")
    page = sits_at("member-01").go("/keys")
    assert serious(page) == []
    page.get_by_label("Passphrase", exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Take the key along").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Who has it can spend. Take it?").click()
    key = SigningKey.from_pem(Path(waiting.value.path()).read_bytes(), b"correct horse battery")
    expect(page.get_by_text(key.public.hex())).to_be_visible()
    expect(page.get_by_label("Passphrase", exact=True)).to_have_value("")
