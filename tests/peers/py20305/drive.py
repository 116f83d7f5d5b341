"""In the peer's own environment: its SunSpec connector reads a device and tells it powers, a step for each line."""

import asyncio
import json
import sys
from typing import Any

from py20305.connectors.sunspec import ConnectorSunSpec  # type: ignore[import-not-found]  # it is of the peer's venv


async def main() -> None:
    """Do what each line of input names, and say in a line of JSON what it came to."""
    connector = ConnectorSunSpec(host="127.0.0.1", port=int(sys.argv[1]), unit_id=1)
    steps = {
        "read": connector.fetch_monitoring,
        "nameplate": connector.fetch_nameplate,
        "charge 1500 W": lambda: connector.update_target_w({"mode_enable": 1, "watts": -1_500}),
        "supply 2000 W": lambda: connector.update_target_w({"mode_enable": 1, "watts": 2_000}),
        "supply half": lambda: connector.update_fixed_w({"WSetEna": 1, "WSetMod": 0, "WSet": 50.0}),
        "let go": lambda: connector.update_target_w({"mode_enable": 0}),
    }
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            told: Any = await steps[line.strip()]()
        except Exception as error:  # whatever the peer raises is its answer
            told = f"{type(error).__name__}: {error}"
        print(json.dumps(told, default=str), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
