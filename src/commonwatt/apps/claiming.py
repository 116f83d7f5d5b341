"""Claim that an operator broke the promise of a receipt: held a request back, or let it stand too late."""

from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.asking import KeptReceipt
from commonwatt.apps.wiring import open_log
from commonwatt.flows.belated import make_belated
from commonwatt.flows.prove import final_note
from commonwatt.flows.receipts import make_withheld
from commonwatt.flows.replay import community_of
from commonwatt.flows.sequence import replay
from commonwatt.flows.verify import verify_file
from commonwatt.model import InvalidValue, Refused


def claim(folder: Path, path: Path, index: int, out: Path) -> None:
    """Write the claim that a promise was broken, for `commonwatt verify`; who watches the log can make it.

    Args:
        folder: A folder with the log, and with the keys to believe in ``community.pub``.
        path: The receipt that was kept with what was sent.
        index: Which of the requests that were sent together.
        out: Where to.

    Raises:
        Refused: The promise was kept, or may still be, or there is no log; says what was found.
        InvalidValue: The file holds no receipt, or no such request.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=KeptReceipt)
        wires = [bytes.fromhex(wire) for wire in kept.wires]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidValue(f"{path} is no receipt: {error}") from error
    if not 0 <= index < len(wires):
        raise InvalidValue(f"a receipt is for {len(wires)} requests, was asked for number {index}")
    with open_log(folder) as log:
        community, rows = community_of(log), list(log.rows())
    note, size = final_note(rows)
    then = replay(rows[:size], community, keep=True)
    head = wires[index].partition(b"\n")[0]
    row = next((row for row in rows[:size] if row.body == head), None)
    by, by_s = kept.receipt.stands_by, kept.receipt.stamped_by_s
    if row is not None and row.position <= by and row.stamped_s <= by_s:
        raise Refused("a promise was kept", position=row.position, by=by, stamped_s=row.stamped_s, by_s=by_s)
    make = make_withheld if row is None else make_belated
    made = make(then.state, then.whole_tree(), rows, note, kept.receipt, wires, index)
    report = verify_file(made, (folder / "community.pub").read_text())
    if not report.fraud:
        raise Refused(f"a claim shows a broken promise: {report.lines[-1].detail}", leaves=size, by=by, by_s=by_s)
    save_secret(out, made)
