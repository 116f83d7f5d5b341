"""Proofs in a real browser, on the real app: what holds is found to hold, and a single forged byte is found."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from browser.visitor import Visit

VERIFIED = "All of it holds, by this browser's own count."
SERIOUS = ("serious", "critical")
# Changes one character in each text of a proof that is hashed or signed, and one number, and tells which went unseen.
FORGE_ALL = """async (source) => {
  const { check } = await import(document.querySelector('script[src*="proof.js"]').src);
  const proof = await (await fetch(source)).json();
  if ((await check(proof)).some((one) => one.ok !== true)) return ["the true one"];
  const unseen = [];
  const forge = async (name, holder, key) => {
    const told = holder[key];
    const places = typeof told === "string" ? [0, told.length >> 1, told.length - 1] : [0];
    for (const at of places) {
      if (typeof told === "number") holder[key] = told + 1;
      else holder[key] = told.slice(0, at) + (told[at] === "3" ? "4" : "3") + told.slice(at + 1);
      if (!(await check(proof)).some((one) => one.ok === false)) unseen.push(`${name}.${key} at ${at}`);
    }
    holder[key] = told;
  };
  for (const part of ["leaf", "item", "entry"].filter((one) => proof[one]))
    for (const key of ["data", "salt", "record", "position", "index"])
      if (proof[part][key] !== undefined) await forge(part, proof[part], key);
  for (const part of ["leaf", "item", "entry"].filter((one) => proof[one]))
    for (const list of [proof[part].path, proof[part].sections ?? []])
      for (const place of list.keys()) await forge(part, list, place);
  await forge("checkpoint", proof.checkpoint, "note");
  await forge("checkpoint", proof.checkpoint, "vkey");
  return unseen;
}"""


def verify(page: Page) -> None:
    page.get_by_role("button", name="Verify in this browser").click()


def serious(page: Page) -> list[str]:
    return [fault["id"] for fault in Axe().run(page).response["violations"] if fault["impact"] in SERIOUS]


@pytest.mark.row("X6")
def test_a_member_goes_from_a_trade_to_its_entry_and_has_the_browser_check_it(sits_at: Visit) -> None:
    page = sits_at("member-01").go("/proof?of=trades")
    page.get_by_label("Trades").get_by_role("link").first.press("Enter")
    page.wait_for_url("**/proof/trade/**")
    page.get_by_role("link", name="Money").first.press("Enter")
    page.wait_for_url("**/proof/entry/*")
    button = page.get_by_role("button", name="Verify in this browser")
    expect(button).to_be_visible(timeout=60_000)  # the whole log is run again first
    button.press("Enter")
    expect(page.get_by_text(VERIFIED)).to_be_visible()
    expect(page.locator("cw-verify pre")).to_contain_text('"memo": "trade"')
    assert serious(page) == []
    entry = page.url.rpartition("/")[2]
    assert page.evaluate(FORGE_ALL, f"/api/v1/proofs/entries/{entry}") == []


@pytest.mark.row("X6")
def test_a_reading_holds_and_one_forged_byte_of_it_is_found(sits_at: Visit) -> None:
    visitor = sits_at("member-01", "desktop", dark=True)
    page = visitor.go("/proof?of=readings")
    page.get_by_label("Readings").get_by_role("link").first.click()
    page.wait_for_url("**/proof/reading/**")
    verify(page)
    expect(page.get_by_text(VERIFIED)).to_be_visible()
    assert serious(page) == []
    source = str(page.locator("cw-verify").get_attribute("data-src"))
    assert page.evaluate(FORGE_ALL, source) == []

    # What a dishonest server would answer: one digit of the meter's record is another.
    page.route(f"**{source}", forged(lambda proof: proof["item"].update(record=other(proof["item"]["record"], 33))))
    verify(page)
    expect(page.get_by_text("This does not hold.")).to_be_visible()
    wrong = page.locator("cw-verify li[data-ok=false]")
    expect(wrong).to_have_count(1)
    expect(wrong).to_contain_text("The reading is in its gateway's signed batch")


def test_everybody_checks_the_last_checkpoint_signed_in_or_not(sits_at: Visit) -> None:
    page = sits_at("public").go("/proof")
    verify(page)
    expect(page.get_by_text(VERIFIED)).to_be_visible()
    expect(page.get_by_text("nobody is registered to watch this log")).to_be_visible()
    assert page.goto(f"{page.url.rpartition('/')[0]}/proof/leaf/1").status == 403  # type: ignore[union-attr]


def other(digits: str, at: int) -> str:
    return digits[:at] + ("1" if digits[at] == "0" else "0") + digits[at + 1 :]


def forged(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        proof = route.fetch().json()
        change(proof)
        route.fulfill(status=200, content_type="application/json", body=json.dumps(proof))

    return answer
