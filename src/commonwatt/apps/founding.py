"""Found a community: a folder with keys made at random, and a log whose first leaves say who is who."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.publishing import TRUST
from commonwatt.apps.scenes import CORRECTION_SLOTS, GATE_S, GRACE_SLOTS, ROLES
from commonwatt.apps.wiring import MASTER_KEY, custody
from commonwatt.flows.onboard import Cast, Charter, WalletTerms, onboard
from commonwatt.flows.prove import trust_file
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.ledger.checkpoint import vkey
from commonwatt.model import Outcome, Refused, zone_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_METER_GRACE_S = 48 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a community's charter says from its first leaf on; the rest is as in the guide to joining.

    Args:
        name: Of the community.
        timezone: Whose clock it lives by, IANA.
        b_max_wh: The most stored energy (WATT) that a member may hold.
        low_micro: ERGON below which a member is warned.
        clear_micro: ERGON from which on the warning ends.
    """

    name: str
    timezone: str
    b_max_wh: int = 10_000
    low_micro: int = 5_000_000
    clear_micro: int = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """A community's folder, its operator's public key, and the file to hand to all who check."""

    community: str
    folder: str
    operator: str
    trust: str


def found(folder: Path, terms: Terms, now_s: int) -> Founded:
    """Make a community's folder, whole or not at all.

    Args:
        folder: Made here; there must be nothing in it.
        terms: Of its charter.
        now_s: Seconds since 1970, with which its log begins.

    Raises:
        Refused: Something is in the folder, or the log takes no such charter.
        InvalidValue: The name or the zone is none.
    """
    if _NAME.fullmatch(terms.name) is None:
        raise Refused("a community's name has letters, digits, ., - and _, 64 at most", found=terms.name[:80])
    zone_of(terms.timezone)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused("a community begins in a folder of its own, with nothing in it", folder=folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    begun = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        operator = _begin(begun, terms, now_s)
        begun.replace(folder)
    except BaseException:
        shutil.rmtree(begun, ignore_errors=True)
        raise
    return Founded(community=terms.name, folder=str(folder), operator=operator.hex(), trust=str(folder / TRUST))


def _begin(folder: Path, terms: Terms, now_s: int) -> bytes:
    keys, note = custody(folder / "keys", ROLES, lambda _: SigningKey.generate(), NoteKey.generate)
    cast = Cast(note=note, members={}, **keys)
    charter = Charter(
        timezone=terms.timezone,
        b_max_wh=terms.b_max_wh,
        grace_slots=GRACE_SLOTS,
        correction_slots=CORRECTION_SLOTS,
        gate_s=GATE_S,
        assets=(),
        gateways={},
        prepaid_micro=0,
        dso=(),
        wallets=WalletTerms(low_micro=terms.low_micro, clear_micro=terms.clear_micro, meter_grace_s=_METER_GRACE_S),
    )
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        sequencer = Sequencer(log, terms.name, lambda _: os.urandom(32))
        try:
            outcomes = sequencer.submit(onboard(sequencer.state, cast, charter, now_s), now_s)
        finally:
            sequencer.close()
    if set(outcomes) != {Outcome.BOOKED}:
        raise Refused("the log takes what its rules allow", outcomes=", ".join(sorted(set(outcomes))))
    save_secret(folder / TRUST, trust_file(cast.operator.public, vkey(terms.name, note.public), terms.name).encode())
    return cast.operator.public
