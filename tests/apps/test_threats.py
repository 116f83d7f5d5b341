"""The page of threats points at tests that are there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "threats.md"
ROOT = PAGE.parents[2]


def test_every_test_that_the_page_of_threats_names_exists() -> None:
    file, named = "", 0
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|") or line.startswith(("|---", "| threat")):
            continue
        for part in line.split("|")[3].split(";"):
            if found := re.search(r"`(tests/\S+)`", part):
                file = found[1]
            tests = (ROOT / file).read_text() if "tests/" in part or "same file" in part else ""
            words = [word for word in re.findall(r"[a-z0-9_]+", part.split("`")[-1]) if "_" in word]
            for word in words:
                assert re.search(rf"def test_\w*{word}\w*\(", tests), (file, word)
                named += 1
    assert named >= 120


def test_every_boundary_is_looked_at_for_each_of_the_six() -> None:
    at_app, *others = PAGE.read_text().split("\n## The door\n")
    kinds = ("spoofing", "tampering", "repudiation", "information disclosure", "denial of service", "elevation")
    assert [kind for kind in kinds if f"## The app: {kind}" not in at_app] == []
    for boundary in f"## The door\n{others[0]}".split("\n## "):
        missing = [letter for letter in "STRIDE" if f"**{letter}**" not in boundary]
        assert missing == [], boundary.splitlines()[0]
