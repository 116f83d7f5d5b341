"""An auditor searches, compares and takes along; a member looks after devices: on the real app."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.visitor import Visit

SERIOUS = ("serious", "critical")


def serious(page: Page) -> list[str]:
    return [fault["id"] for fault in Axe().run(page).response["violations"] if fault["impact"] in SERIOUS]


@pytest.mark.row("X12")
def test_an_auditor_searches_compares_and_takes_along_and_finds_nothing_to_change(sits_at: Visit) -> None:
    page = sits_at("auditor", "desktop").go("/audit")
    page.get_by_label("What", exact=True).select_option("order")
    page.get_by_label("For whom").fill("member-02")
    page.get_by_label("For whom").press("Enter")
    page.wait_for_url("**/audit?*kind=order*")
    rows = page.get_by_label("Requests").get_by_role("link")
    expect(rows.first).to_contain_text("order · member-02")
    assert all("order · member-02" in text for text in rows.all_inner_texts())
    assert serious(page) == []

    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Account", exact=True).fill("member-01")
    page.get_by_label("and account").fill("member-02")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("region", name="member-01 beside member-02")).to_contain_text("trade · ergon")
    assert serious(page) == []

    page.get_by_role("link", name="Take along").click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV").first.click()
    assert Path(taken.value.path()).read_text().startswith('# {"community":"street","what":"entries"')
    assert page.locator("[data-send]").count() == 0


@pytest.mark.row("H1")
def test_a_member_sees_their_devices_and_is_told_why_a_wrong_number_claims_nothing(sits_at: Visit) -> None:
    page = sits_at("member-01", dark=True).go("/devices")
    devices = page.get_by_label("Devices", exact=True).get_by_role("listitem")
    expect(devices.first).to_contain_text("Tells every quarter-hour")
    assert serious(page) == []
    page.get_by_label("Number on the gateway").fill("HEPEK-9999")
    page.get_by_label("What you call it").fill("cellar")
    page.get_by_role("button", name="Claim it").press("Enter")
    page.get_by_role("button", name="Press again to claim it").press("Enter")
    expect(page.locator("#said")).to_contain_text("by the number of a gateway that is registered and free")
