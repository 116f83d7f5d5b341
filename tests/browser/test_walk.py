"""What people do, with a mouse, a thumb, or the keyboard alone; and what becomes of it on the server."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from browser.visitor import Visit


def _done(address: str) -> list[str]:
    done: list[str] = httpx.get(f"{address}/test/state", timeout=60).json()["done"]
    return done


def _where(page: Page) -> str:
    return str(page.evaluate("(document.activeElement.textContent || document.activeElement.id).trim()"))


@pytest.mark.row("W10")
def test_somebody_goes_everywhere_and_sets_everything_with_the_keyboard_alone(visit: Visit, gallery: str) -> None:
    visitor = visit("phone")
    page = visitor.go("/")
    page.keyboard.press("Tab")
    assert _where(page) == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert _where(page) == "\N{MINUS SIGN}", "after the skip, the first control of the content"
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Car ready by")).to_have_value("07:15")
    page.get_by_role("radio", name="Hold").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("switch").focus()
    page.keyboard.press("Space")
    page.wait_for_function(
        "async () => { const d = (await (await fetch('/test/state')).json()).done;"
        " return d.includes('control False') && d.includes('target discharge') && d.includes('ready 435') }"
    )
    more = page.locator(".on-phone summary")
    more.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Proof")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Proof")).to_be_hidden()
    assert _where(page) == "More"


def test_a_departure_is_moved_by_arrow_keys_and_tells_its_time(visit: Visit, gallery: str) -> None:
    page = visit("phone").go("/parts")
    slider = page.get_by_label("Departure")
    expect(slider).to_have_attribute("aria-valuetext", "Fri 24 Apr, 07:00")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "Fri 24 Apr, 07:15")
    expect(page.locator(".departure output")).to_have_text("Fri 24 Apr, 07:15")
    page.wait_for_function(
        "async () => (await (await fetch('/test/state')).json()).done.some(d => d === 'departure 1777011300')"
    )


def test_what_is_asked_can_be_taken_back_and_otherwise_happens(visit: Visit, gallery: str) -> None:
    page = visit("desktop").go("/deeds?wait=2")
    before = _done(gallery).count("ordered")
    page.get_by_role("button", name="Buy 2 kWh").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Taken back: nothing was done")).to_be_visible()
    page.get_by_role("button", name="Buy 2 kWh").click()
    expect(page.get_by_text("Bought 2.0 kWh")).to_be_visible()
    assert _done(gallery).count("ordered") == before + 1
    page.get_by_role("button", name="Charge with 18 kW").click()
    page.get_by_role("button", name="Now").click()
    expect(page.locator(".done")).to_contain_text("above fuse rating")


def test_what_cannot_be_taken_back_is_asked_twice_and_a_refusal_is_read_out(visit: Visit, gallery: str) -> None:
    page = visit("phone").go("/deeds")
    page.get_by_role("button", name="Leave the community").click()
    assert "left" not in _done(gallery)
    expect(page.locator("#said")).to_have_text("Press again to leave")
    page.get_by_role("button", name="Press again to leave").click()
    page.wait_for_function("async () => (await (await fetch('/test/state')).json()).done.includes('left')")
    page.get_by_role("button", name="Refuse").click()
    expect(page.locator("#said")).to_contain_text("above fuse rating")
    expect(page.locator("#toast")).to_be_visible()


def test_a_list_goes_on_to_its_end_and_the_focus_goes_along(visit: Visit) -> None:
    page = visit("phone").go("/deeds")
    rows = page.get_by_label("Trades").locator("li")
    expect(rows).to_have_count(10)
    page.get_by_role("button", name="More").click()
    expect(rows).to_have_count(20)
    expect(rows.nth(10)).to_be_focused()
    page.get_by_role("button", name="More").click()
    expect(rows).to_have_count(25)
    expect(page.get_by_role("button", name="More")).to_have_count(0)


def test_what_takes_a_while_is_awaited_in_its_place_and_what_fails_says_why(visit: Visit) -> None:
    page = visit("phone").go("/slow")
    expect(page.get_by_text("Here at last")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("nobody watches this log")
    expect(page.locator(".skeleton")).to_have_count(0)


def test_a_page_speaks_and_looks_as_its_visitor_wants(visit: Visit) -> None:
    visitor = visit("desktop", language="es-ES")
    page = visitor.go("/")
    assert page.get_attribute("html", "lang") == "es"
    expect(page.get_by_role("figure")).to_contain_text("El tejado produce 3,2\N{NO-BREAK SPACE}kW.")
    page.locator(".settings summary").click()
    with page.expect_navigation():
        page.get_by_label("Idioma").select_option("de")
    assert page.get_attribute("html", "lang") == "de"
    page.locator(".settings summary").click()
    with page.expect_navigation():
        page.get_by_label("Hell oder dunkel").select_option("dark")
    page.wait_for_function("getComputedStyle(document.body).backgroundColor === 'rgb(18, 23, 26)'")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/operator", 403, "this page is for other roles"),
        ("/refusing", 403, "above fuse rating"),
        ("/broken", 500, "something here is broken; it is noted"),
    ],
)
def test_a_page_that_cannot_be_shown_says_which_rule_and_nothing_else(
    gallery: str, path: str, status: int, said: str
) -> None:
    answer = httpx.get(f"{gallery}{path}", timeout=60)
    assert answer.status_code == status
    assert said in answer.text
    assert "secret" not in answer.text and "Traceback" not in answer.text
