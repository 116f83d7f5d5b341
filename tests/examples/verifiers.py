"""The verifier that stands alone and `commonwatt verify`, side by side, and evidence to show to both."""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from community import EXPORT, IMPORT, NAME, NOON, Flow
from secure_gateways import SecureWatched
from test_prove import run
from test_rulebook_delegating import let
from watched import ANNE, Watched, trust

from commonwatt.flows.prove import default_case, final_note, make_evidence, read_note
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import replay
from commonwatt.flows.verify import verify_evidence
from commonwatt.ledger.cosign import cosignature_line
from commonwatt.model import Kind, Outcome, Side

Json = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "examples" / "verify_alone"
PROGRAM = FOLDER / "verify.py"
CLASSES = ("form", "auction", "memos", "cosignatures")
"""What the one that stands alone does not check, by the words that its output begins them with."""


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_alone", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALONE = loaded()
QUICK = loaded()
"""The same, remembering what it worked out from the same numbers, so that thousands of files take seconds."""
for _slow in ("ed25519_holds", "ecdsa_holds", "keccak256", "curve_point"):
    setattr(QUICK, _slow, cache(getattr(QUICK, _slow)))


@cache
def told(who: str = "ben", *, agent: bool = False, secure: bool = False) -> bytes:
    """Return the evidence about a slot in which anna sells to ben, and the grid brings and takes the rest."""
    community = SecureWatched() if secure else Watched()
    if agent:
        assert community.register_key("agent", "agent", "agent") is Outcome.BOOKED
        assert let(community, "agent", "order", until_s=NOON + 60) is Outcome.BOOKED
    ask = order_bodies.SlotOrder(side=Side.ASK, energy_wh=250, price_micro_per_kwh=EXPORT, slot_s=NOON)
    assert community.order("ben", Side.BID, 300, IMPORT, NOON) is Outcome.BOOKED
    assert community.ask("agent" if agent else "anna", Kind.ORDER, ask, account="anna") is Outcome.BOOKED
    slot_s = community.live(anna=Flow(solar_wh=400, load_wh=50), ben=Flow(load_wh=420))
    community.live()
    community.close(slot_s)
    rows = community.rows()
    note, size = final_note(rows)
    then = replay(rows[:size], NAME, keep=True)
    text = read_note(note).note_text()
    cosigned = note + cosignature_line(text, ANNE.name, ANNE.note.private, NOON)
    return make_evidence(then.state, then.whole_tree(), rows, cosigned, who, NOON)


@cache
def street() -> tuple[bytes, str]:
    """Return evidence and trust file of the demo's street."""
    lived = run(3)
    return lived.evidence(*default_case(lived.then.state)), lived.trust


def named(name: str) -> tuple[bytes, str]:
    if name == "secure":
        return told(secure=True), trust()
    return street() if name == "street" else (told(name), trust())


def alone(content: bytes, pub: str) -> str:
    """Return why the one that stands alone refuses, or nothing."""
    try:
        QUICK.check(content, pub.encode())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def ours(content: bytes, pub: str) -> str:
    """Return the check at which `commonwatt verify` refuses, or nothing."""
    report = verify_evidence(content, pub)
    return "" if report.ok else report.lines[-1].name
