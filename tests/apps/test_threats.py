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
    assert named >= 30
