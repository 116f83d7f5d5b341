"""Lets these tests found the tiny community of the flows' tests, in a folder of its own."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path += [str(TESTS / "flows"), str(TESTS / "stories")]
