"""Lets these tests found the tiny community of the flows' tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
