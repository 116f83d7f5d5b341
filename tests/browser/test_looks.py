"""Every part in every state, judged by axe and by how it looked before, on a phone and on a desktop."""

from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from browser.visitor import Visit

PATHS = ("/", "/parts", "/deeds", "/charts", "/refusing")
_SERIOUS = ("serious", "critical")


def _serious(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    return [
        f"{fault['id']}: {fault['help']}: {[node['html'][:160] for node in fault['nodes'][:3]]}"
        for fault in found.response["violations"]
        if fault["impact"] in _SERIOUS
    ]


@pytest.mark.row("W10")
@pytest.mark.parametrize(("size", "dark"), [("phone", False), ("desktop", True)])
def test_nothing_serious_keeps_anybody_out_and_all_looks_as_it_was_kept(
    visit: Visit, gallery: str, same_as_kept: Callable[..., None], size: str, dark: bool
) -> None:
    httpx.post(f"{gallery}/test/still", timeout=60)
    visitor = visit(size, dark=dark)
    for path in PATHS:
        page = visitor.go(path)
        if path == "/charts":
            page.wait_for_selector(".chart svg path", state="attached")
        assert _serious(page) == [], path
        same_as_kept(page, f"{path.strip('/') or 'home'}-{size}", whole=path == "/parts")
    # Light on a desktop and dark on a phone have the same colours: their contrast is judged there.
    visitor.page.emulate_media(color_scheme="light" if dark else "dark")
    assert _serious(visitor.go("/parts")) == []


def test_pictures_turn_into_tables_and_menus_open_without_serious_findings(visit: Visit) -> None:
    page = visit("phone").go("/parts")
    for button in page.get_by_role("button", name="Table").all():
        button.click()
    assert page.get_by_role("table").count() == page.locator("table:visible").count() > 4
    assert page.get_by_role("cell", name="7.4 kW, cheapest hours").is_visible()
    page.locator(".settings summary").click()
    assert page.get_by_label("Language").is_visible()
    assert _serious(page) == []


def test_nothing_is_wider_than_a_small_phone_and_everything_can_be_hit_with_a_thumb(visit: Visit) -> None:
    visitor = visit("phone")
    visitor.page.set_viewport_size({"width": 320, "height": 640})
    for path in ("/", "/parts", "/deeds"):
        page = visitor.go(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        small = page.evaluate(
            """[...document.querySelectorAll('button, summary, select, a, input:not([type=radio], [type=checkbox])')]
            .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.matches('.skip'))
            .filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 120))"""
        )
        assert small == [], path
