"""What a member does with their schedule, on the real app of a street that lived, through its real door."""

from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from browser.visitor import Visit

CAR = "car-01"


def _serious(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    faults = (fault for fault in found.response["violations"] if fault["impact"] in ("serious", "critical"))
    return [f"{fault['id']}: {[node['html'][:160] for node in fault['nodes'][:3]]}" for fault in faults]


@pytest.mark.row("X2")
def test_a_departure_is_moved_by_keyboard_and_by_mouse_and_stands_at_once(sits_at: Visit) -> None:
    page = sits_at("member-01").go("/schedule")
    slider = page.get_by_label(f"{CAR}: 80% full by")
    expect(slider).to_have_attribute("aria-valuetext", "Thu 15 Nov, 05:00")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    stands = page.get_by_label("What stands", exact=True)
    expect(stands).to_contain_text(f"charge of {CAR} >= 80% at 05:45 on 15 November 2018")
    expect(stands).not_to_contain_text("at 05:00")
    expect(page.locator("#said")).to_contain_text("ready by Thu 15 Nov, 05:45")
    expect(slider).to_be_focused()
    expect(slider).to_have_attribute("aria-valuetext", "Thu 15 Nov, 05:45")
    shown = _dragged(page, slider)
    expect(stands).to_contain_text(f"charge of {CAR} >= 80% at {shown.rpartition(' ')[2]} on")
    expect(stands).not_to_contain_text("at 05:45")
    expect(page.locator("#said")).to_contain_text(f"ready by {shown}")


def _dragged(page: Page, slider: Locator) -> str:
    """Drag a departure later by the mouse, let it go, and return the time that was read there before."""
    slider.evaluate("it => it.scrollIntoView({block: 'center'})")  # not under the bar at the bottom
    box, before = slider.bounding_box(), slider.get_attribute("aria-valuetext")
    assert box is not None
    part = float(slider.evaluate("it => (it.value - it.min) / (it.max - it.min)"))
    x, y = box["x"] + part * box["width"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(x + step * box["width"] / 40, y)
    shown = slider.get_attribute("aria-valuetext")
    assert shown is not None and shown != before, "its time is read as it moves"
    page.mouse.up()
    expect(slider).to_have_attribute("aria-valuetext", shown)
    return shown


@pytest.mark.row("X1")
def test_a_wish_is_explained_while_it_is_typed_said_and_taken_back(sits_at: Visit) -> None:
    page = sits_at("member-02", "desktop").go("/schedule")
    box = page.get_by_label("A wish in one line")
    box.press_sequentially("chrage of car-02 >= 60% at 09:15")
    page.get_by_role("button", name="Did you mean: charge of car-02").click()
    expect(box).to_have_value("charge of car-02 >= 60% at 09:15")
    expect(box).to_be_focused()
    expect(page.get_by_text("Understood", exact=True)).to_be_visible()
    box.fill("charge of car-01 >= 60% at 09:15")
    expect(page.get_by_text("there is no such asset")).to_be_visible()
    box.fill("charge of car-02 >= 60% at 09:15 every weekday")
    page.get_by_role("button", name="Say it").click()
    line = "charge of car-02 >= 60% at 09:15 every weekday from 15 November 2018"
    expect(page.get_by_label("What stands", exact=True)).to_contain_text(line)
    expect(box).to_have_value("")
    page.get_by_role("button", name=f"No longer {line}").click()
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.get_by_text("You have said nothing that still holds")).to_be_visible()


@pytest.mark.row("X3")
def test_a_plan_that_waits_is_accepted_before_its_deadline(sits_at: Visit) -> None:
    page = sits_at("member-05").go("/schedule")
    expect(page.get_by_text("A plan for battery-05 waits for your word")).to_be_visible()
    expect(page.get_by_text("Decide by Wed 14 Nov, 18:30")).to_be_visible()
    assert _serious(page) == []
    page.get_by_role("button", name="Accept").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Taken back: nothing was done")).to_be_visible()
    page.get_by_role("button", name="Accept").click()
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.get_by_text("waits for your word")).to_be_hidden()
    page.get_by_role("button", name="Table").click()
    expect(page.get_by_role("cell", name="charges: the street has more than it uses")).to_be_visible()


@pytest.mark.row("X3")
def test_a_plan_that_waits_is_declined_and_never_comes_into_force(sits_at: Visit) -> None:
    visitor = sits_at("member-10")
    page = visitor.go("/schedule")
    expect(page.get_by_text("A plan for battery-10 waits for your word")).to_be_visible()
    page.get_by_role("button", name="Decline").click()
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.get_by_text("waits for your word")).to_be_hidden()
    told = visitor.context.request.get(f"{visitor.address}/api/v1/assets/battery-10/diary").json()
    assert told["waiting"] is None


def test_a_calendar_stands_at_a_secret_address_until_it_is_revoked(sits_at: Visit) -> None:
    page = sits_at("member-04", language="de-DE").go("/schedule")
    page.get_by_role("button", name="Adresse machen").click()
    field = page.get_by_label("Geheime Adresse")
    expect(field).to_be_focused()
    address = field.input_value()
    told = httpx.get(address, timeout=60)
    assert told.headers["content-type"].startswith("text/calendar") and "Lädt" in told.text
    assert urlsplit(address).query == "language=de"
    page.get_by_role("button", name="Widerrufen").click()
    page.get_by_role("button", name="Zum Widerrufen nochmals drücken").click()
    expect(page.get_by_role("button", name="Adresse machen")).to_be_visible()
    assert httpx.get(address, timeout=60).status_code == 404


@pytest.mark.row("W10")
def test_the_schedule_keeps_nobody_out(sits_at: Visit) -> None:
    for size, dark in (("phone", False), ("desktop", True)):
        page = sits_at("member-07", size, dark=dark).go("/schedule")
        assert _serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
