"""Direct sales on the real app, between two browsers: one offers stored energy, the other sees it and buys."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.visitor import Visit

_SERIOUS = ("serious", "critical")


def serious(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    return [fault["id"] for fault in found.response["violations"] if fault["impact"] in _SERIOUS]


def pressed_twice(page: Page, name: str, asked: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name=asked).click()


@pytest.mark.row("H11")
@pytest.mark.row("M1")
def test_two_browsers_see_each_others_offer_and_trade_without_reloading(sits_at: Visit) -> None:
    seller, buyer = sits_at("member-07").go("/deals"), sits_at("member-02", "desktop", dark=True).go("/deals")
    onlooker = sits_at("public").go("/deals")
    seller.get_by_label("How much, in kWh").fill("0.25")
    seller.get_by_label("Price of a kWh, in GBP").fill("0.18")
    pressed_twice(seller, "Offer it", "Set it aside and offer it?")
    expect(buyer.get_by_text("250\N{NO-BREAK SPACE}Wh from member-07")).to_be_visible()
    expect(buyer.get_by_text("18.0\N{NO-BREAK SPACE}p/kWh")).to_be_visible()
    assert serious(seller) == [] and serious(buyer) == []
    expect(seller.get_by_role("button", name="Take back")).to_be_visible()
    expect(onlooker.get_by_text("250\N{NO-BREAK SPACE}Wh from member-07")).to_be_visible()
    assert onlooker.get_by_role("button", name="Buy").count() == 0, "the public looks on"
    # 250 Wh at 18 p/kWh are 4.5 p, as money rounds it to the penny.
    pressed_twice(buyer, "Buy", "Pay £0.04 for it?")
    for page in (seller, buyer, onlooker):
        expect(page.get_by_text("member-07 to member-02")).to_be_visible()
        expect(page.get_by_text("250\N{NO-BREAK SPACE}Wh from member-07")).to_have_count(0)
    assert serious(onlooker) == []


def test_what_was_offered_is_taken_back(sits_at: Visit) -> None:
    seller, buyer = sits_at("member-09").go("/deals"), sits_at("member-10").go("/deals")
    seller.get_by_label("How much, in kWh").fill("0.1")
    seller.get_by_label("Price of a kWh, in GBP").fill("0.2")
    pressed_twice(seller, "Offer it", "Set it aside and offer it?")
    offer = buyer.get_by_text("100\N{NO-BREAK SPACE}Wh from member-09")
    expect(offer).to_be_visible()
    seller.get_by_role("button", name="Take back").click()
    expect(offer).to_have_count(0)
