"""Bills from a run's folder: replay the log, sum up one member's entries, and write page, PDF or figures."""

from collections.abc import Mapping
from pathlib import Path

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.report import bill as report
from commonwatt.apps.wiring import open_log
from commonwatt.flows.billing import ProvenEntry, make_bill, prove_entry
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import final_note
from commonwatt.flows.replay import replay
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Refused
from commonwatt.settlement.bill import Bill, LineClass


def bill_of(
    folder: Path, member: str, span: tuple[str | None, str | None], tax_permille: Mapping[LineClass, int]
) -> tuple[Bill, str]:
    """Return a member's bill from a run's log, and the community's time zone; see `commonwatt.flows.billing.make_bill`.

    Raises:
        Refused: There is no log, no such account, or the period is not settled.
        InvalidValue: A date is none.
        Corrupt: The log contradicts itself.
    """
    rows = _rows(folder)
    state = replay(rows, read_head(rows[0].body).community, keep=True).state
    return make_bill(state, member, rows[0].stamped_s, span, tax_permille), state.charter.timezone


def write_files(bill: Bill, timezone: str, *, html: Path | None = None, pdf: Path | None = None) -> None:
    """Write a bill as page and as PDF, for their owner alone.

    Raises:
        OSError: A folder is missing or cannot be written.
    """
    if html:
        save_secret(html, report.html(bill, timezone).encode())
    if pdf:
        save_secret(pdf, report.pdf(bill, timezone))


def entry_of(folder: Path, number: int) -> ProvenEntry:
    """Return an entry of a run's books with its proof under the last signed checkpoint.

    Raises:
        Refused: There is no log, no checkpoint or no such entry before it.
        Corrupt: The log contradicts itself.
    """
    rows = _rows(folder)
    note, size = final_note(rows)
    return prove_entry(replay(rows[:size], read_head(rows[0].body).community, keep=True).state, note, number)


def _rows(folder: Path) -> list[LeafRow]:
    with open_log(folder) as log:
        rows = list(log.rows())
    if not rows:
        raise Refused("the log is empty", folder=folder)
    return rows
