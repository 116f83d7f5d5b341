"""What the examples are shown on: the small communities that the flows' tests found."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "flows"))
