"""Devices over HTTP; written by scripts/client.py, not by hand."""

from collections.abc import Mapping
from typing import Any, cast

from commonwatt.apps.api.v1.writing import WriteDone
from commonwatt.apps.views.devices import DeviceView
from commonwatt.apps.views.lives import Life
from commonwatt.client.line import Line, new_key, part


class Devices:
    """Devices over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def devices(self) -> list[DeviceView]:
        """Devices.

        All that who asks may see, by name: whether they tell, and what they answered last.
        """
        return self._line.call("GET", "/devices", list[DeviceView])

    def drivers(self) -> list[dict[str, Any]]:
        """Drivers.

        What every installed driver does, what it need not do, and what is missing.
        """
        return self._line.call("GET", "/drivers", list[dict[str, Any]])

    def life(self, name: str) -> Life | None:
        """A device as its gateway knows it.

        Nameplate with firmware, quarantine, and what was written down; null where its gateway is on another machine.
        """
        return self._line.call("GET", f"/devices/{part(name)}/life", cast("type[Life | None]", Life | None))

    def release(self, name: str) -> Life | None:
        """Let a device out of quarantine.

        Its gateway takes it up within a second or so, and writes down who said so.
        """
        return self._line.call("POST", f"/devices/{part(name)}/release", cast("type[Life | None]", Life | None))

    def claim(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Claim a device.

        By the `number` on its gateway, with a `name`, its `kind`, `most_w`, and of a store `capacity_wh` (row H1). Of a
        heat pump `least_w`, what it draws at least while it runs: without it nobody sees whether it starts too often.
        Asked again with the same `key` within a day, it is not done anew.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/devices", WriteDone, told=body, key=key or new_key())
