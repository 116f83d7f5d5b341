"""What a member does at home, on the real app of a street that lived, through its real door."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser.visitor import Visit

CAR = "car-06"


@pytest.mark.row("E10")
def test_somebody_looks_at_home_sets_a_departure_and_a_target_and_pauses_all(sits_at: Visit) -> None:
    page = sits_at("member-06").go("/")
    expect(page.get_by_role("figure")).to_contain_text("The house uses")
    expect(page.get_by_text("Paid today")).to_be_visible()
    clock = page.get_by_label("Ready by, 80% full")
    clock.fill("06:45")
    clock.press("Tab")
    expect(page.locator("#said")).to_contain_text(f"{CAR} will be ready by Thu 15 Nov, 06:45")
    expect(page.get_by_text("Thu 15 Nov, 06:45", exact=True)).to_be_visible()
    hold = page.get_by_role("group", name="For two hours").nth(1).get_by_role("radio", name="Hold")
    hold.focus()
    page.keyboard.press("Space")
    expect(page.locator("#said")).to_contain_text("It is said")
    expect(hold).to_have_attribute("checked", "")  # as the server draws it: the page is as it will stay
    steer = page.get_by_role("switch", name="Let the community steer")
    steer.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Everything rests: you have paused all control.")).to_be_visible()
    expect(steer).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_text("Everything rests")).to_be_hidden()
    page.reload()
    expect(page.get_by_label("Ready by, 80% full")).to_have_value("06:45")
    expect(hold).to_be_checked()
    page.goto(f"{page.url.rstrip('/')}/schedule")
    stands = page.get_by_label("What stands", exact=True)
    expect(stands).to_contain_text(f"charge of {CAR} >= 80% at 06:45 on 15 November 2018")


@pytest.mark.row("W10")
@pytest.mark.parametrize(("size", "dark"), [("phone", True), ("desktop", False)])
def test_home_keeps_nobody_out(sits_at: Visit, size: str, dark: bool) -> None:
    page = sits_at("member-08", size, dark=dark, language="es-ES").go("/")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    assert [fault for fault in found.response["violations"] if fault["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_text("Qué pasará ahora")).to_be_visible()
