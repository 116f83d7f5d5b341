"""Assets over HTTP; written by scripts/client.py, not by hand."""

from collections.abc import Mapping

from commonwatt.apps.api.v1.writing import WriteDone
from commonwatt.apps.views.diary import AssetView, Diary, ReadingView, StatedView, Understood
from commonwatt.client.line import Line, new_key, part


class Assets:
    """Assets over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def assets(self) -> list[AssetView]:
        """Assets.

        All that who asks may see, by name.
        """
        return self._line.call("GET", "/assets", list[AssetView])

    def asset(self, name: str) -> AssetView:
        """One asset.

        As it is registered, and how its owner lets it be scheduled.
        """
        return self._line.call("GET", f"/assets/{part(name)}", AssetView)

    def readings(self, name: str, *, from_s: int = 0, to_s: int = 32503680000) -> list[ReadingView]:
        """What its meter told.

        Slots in order, ten thousand at most.
        """
        return self._line.call(
            "GET", f"/assets/{part(name)}/readings", list[ReadingView], query={"from_s": from_s, "to_s": to_s}
        )

    def readings_packed(self, name: str, *, from_s: int = 0, to_s: int = 32503680000) -> bytes:
        """What its meter told, as Parquet.

        The same slots as columns: `start_s`, `import_wh`, `export_wh`, `level_wh`, `quality`.
        """
        return self._line.call(
            "GET", f"/assets/{part(name)}/readings.parquet", bytes, query={"from_s": from_s, "to_s": to_s}
        )

    def diary(self, name: str) -> Diary:
        """Its diary.

        What it is to do and why, and what waits for its owner's word.
        """
        return self._line.call("GET", f"/assets/{part(name)}/diary", Diary)

    def constraints(self, account: str) -> list[StatedView]:
        """What stands.

        An account's statements that still matter, in its own words.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/constraints", list[StatedView])

    def understood(self, *, text: str) -> Understood:
        """Understand a line.

        What a line would state, or at which word it cannot be read; nothing is stated by asking.
        """
        return self._line.call("GET", "/constraints/understood", Understood, query={"text": text})

    def state(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """State a line.

        A `text` in the constraint language; after `no longer: ` it takes back what was stated in these words. Asked
        again with the same `key` within a day, it is not done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/constraints", WriteDone, told=body, key=key or new_key()
        )

    def consent(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Let assets be scheduled, or decide what waits.

        `what` is `consent` (of one asset, or of all), or `decision` about the schedule that waits. Asked again with the
        same `key` within a day, it is not done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/consents", WriteDone, told=body, key=key or new_key()
        )
