"""The market on the real app: an order in two taps, an agent at two prices that somebody typed, and taking back."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.visitor import Visit

_SERIOUS = ("serious", "critical")
_NBSP = "\N{NO-BREAK SPACE}"


def serious(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    return [fault["id"] for fault in found.response["violations"] if fault["impact"] in _SERIOUS]


@pytest.mark.row("M1")
@pytest.mark.row("W10")
def test_an_order_is_placed_in_two_taps_on_a_phone_and_taken_back(sits_at: Visit) -> None:
    page = sits_at("member-04").go("/market")
    orders = page.locator(".card", has=page.get_by_role("heading", name="My orders"))
    mine = orders.locator("li", has_text=f"Buy 500{_NBSP}Wh").filter(has_text="17:15\N{EN DASH}17:30")
    expect(mine).to_have_count(0)
    place = page.locator("button[data-send=place]")
    place.click()
    expect(place).to_contain_text("at most?")
    place.click()
    expect(mine).to_have_count(1)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    mine.get_by_role("button", name="Take back").click()
    expect(mine).to_have_count(0)


@pytest.mark.row("E7")
def test_an_agent_trades_at_the_two_prices_that_its_owner_typed_until_it_is_switched_off(sits_at: Visit) -> None:
    visitor = sits_at("member-06", dark=True)
    page = visitor.go("/market")
    agent = page.locator(".card", has=page.get_by_role("heading", name="Let an agent trade for me"))
    agent.get_by_role("button", name="Switch it off").click()
    expect(agent.get_by_role("button", name="Switch it on")).to_be_visible()
    buy, sell = agent.get_by_label("Buy at, a kWh in GBP"), agent.get_by_label("Sell at, a kWh in GBP")
    buy.fill("0.30")
    sell.fill("0.20")
    agent.get_by_role("button", name="Switch it on").click()
    expect(page.locator("#toast")).to_contain_text("An agent buys for less than it sells for.")
    buy.fill("0,115")
    agent.get_by_role("button", name="Switch it on").click()
    expect(agent).to_contain_text(f"Buys at 11.5{_NBSP}p/kWh, sells at 20.0{_NBSP}p/kWh.")
    assert serious(page) == []
    own = visitor.context.request.get(f"{visitor.address}/api/v1/accounts/member-06/orders").json()
    assert (own["agent"]["buy"], own["agent"]["sell"]) == (115_000, 200_000)
    sell.fill("0.25")
    agent.get_by_role("button", name="Set these prices").click()
    expect(agent).to_contain_text(f"sells at 25.0{_NBSP}p/kWh.")
    agent.get_by_role("button", name="Switch it off").click()
    expect(agent.get_by_role("button", name="Set these prices")).to_have_count(0)


@pytest.mark.row("W5")
def test_a_utility_sees_its_money_offers_a_contract_and_is_told_that_it_places_no_orders(sits_at: Visit) -> None:
    visitor, member = sits_at("utility"), sits_at("member-03", "desktop").go("/deals")
    page = visitor.go("/wallet")
    expect(page.locator("[data-live=ergon]")).to_contain_text("\N{POUND SIGN}")
    expect(page.get_by_role("link", name="November 2018")).to_be_visible()
    page = visitor.go("/market")
    expect(page.get_by_text("No orders from this account")).to_be_visible()
    expect(page.locator("button[data-send=place]")).to_have_count(0)
    assert serious(page) == []
    page = visitor.go("/grid")
    page.get_by_label("Price of a kWh, in GBP").fill("0.50")
    page.get_by_label("Power of all together, in kW").fill("1")
    page.get_by_label("Windows at most").fill("4")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Offer it", exact=True).click()
    page.get_by_role("button", name="Press again to set the money aside").click()
    expect(member.get_by_text("utility pays in every window")).to_be_visible()
    page.get_by_role("button", name="Take back").last.click()
    page.get_by_role("button", name="Press again to take it back").click()
    expect(member.get_by_text("utility pays in every window")).to_have_count(0)
