"""A gateway whose secure element knows P-256 alone meters as any other does; nobody else may hold such a key."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from community import NAME, NOON, Community, Flow, key, salts
from hypothesis import given
from hypothesis import strategies as st
from secure_gateways import SecureGateways, SecureWatched
from test_receipts import check, claim, due, receipt_at
from test_witness import watching
from watched import DirectLog

from commonwatt.flows.gateway.letters import greeting
from commonwatt.flows.gateway.post_office import PostOffice
from commonwatt.flows.intake import FEW, read_request
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import RequestSigner, SigningKey, sign_request
from commonwatt.identity.p256 import P256_ORDER
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue, Kind, Outcome, Refused
from signers import P256Signer, secure_key

pytestmark = [pytest.mark.row("H1"), pytest.mark.row("H9")]
BEFORE_P256 = (
    "842f76512b0975057fd3da7eadb4768b4f0654411e1c09e6279fcc11e39188fb",
    "1beec1a291b4a785d6c58d8940ba78b1cc2cfb8301c33c9dde77afe13222b7c3",
)
"""Log root and state root of the tiny community, from the day before other keys than secp256k1 were known."""
ON_BOTH_CURVES = P256Signer(3)
"""Its public key reads as one of secp256k1 too."""
SECURE = "gw-anna"


def spent(town: Community, slots: int = 2) -> Community:
    for _ in range(slots):
        town.live(anna=Flow(load_wh=100, solar_wh=300), ben=Flow(load_wh=200))
    return town


def reading(town: Community, signer: RequestSigner | None = None) -> bytes:
    """Return a batch of anna's gateway of the slot that has just ended, signed by its own key or another."""
    town.now_s += SLOT_SECONDS
    wire = town.reading(SECURE, town.slot_s - SLOT_SECONDS, town.home("anna", Flow(load_wh=100)))
    if signer is None:
        return wire
    return sign_request(replace(read_request(wire), author=signer.id), signer).wire_bytes()


def test_logs_without_such_keys_have_the_roots_that_they_always_had() -> None:
    roots = Community().roots()
    assert (roots.log.hex(), roots.state.hex()) == BEFORE_P256


def test_its_batches_are_admitted_replayed_and_restored_from_a_snapshot() -> None:
    town = spent(SecureGateways())
    roots = town.roots()
    record = town.state.keys[secure_key(SECURE).id]
    assert (record.verifying.alg, record.role, record.gateway) == ("P-256", "gateway", SECURE)
    assert town.state.keys.next_seq(record.verifying.id) == 3
    again = replay(town.rows(), NAME)
    assert (again.tree.root(), again.state.root()) == (roots.log, roots.state)
    kept = snapshot.dump(town.state, town.now_s, roots.log)
    state, _ = snapshot.load(kept)
    assert (state.root(), state.keys[record.verifying.id].verifying.alg) == (roots.state, "P-256")
    assert snapshot.dump(state, town.now_s, roots.log) == kept
    town.sequencer = Sequencer(town.store, NAME, salts("tiny"))
    spent(town, 1)
    assert replay(town.rows(), NAME).state.root() == town.roots().state


def test_a_snapshot_that_tells_another_curve_is_damaged() -> None:
    town = SecureGateways()
    kept = snapshot.dump(town.state, town.now_s, town.roots().log)
    for damage in (b"P-257", b"P-\xff56"):
        with pytest.raises(Corrupt):
            snapshot.load(kept.replace(b"P-256", damage))


@pytest.mark.parametrize("beside", [0, 2 * FEW])
def test_its_signature_is_checked_alone_and_among_many_others(beside: int) -> None:
    town = SecureGateways()
    good = reading(town)
    seq = town.state.keys.next_seq(key("payment").id)
    others = [
        town.wire(
            "payment", Kind.PURCHASE, bodies.PurchaseBody(account="ben", amount_micro=1, reference=f"{n}"), seq=seq + n
        )
        for n in range(beside)
    ]
    before = town.roots()
    for forged in (signature(good, lambda r, s: (r, P256_ORDER - s)), signature(good, lambda r, s: (r ^ 1, s))):
        assert town.sequencer.submit([forged], town.now_s) == [Outcome.BAD_SIGNATURE]
        assert town.roots() == before
    found = town.sequencer.submit([*others, signature(good, lambda r, s: (s, r)), good], town.now_s)
    assert found == [*[Outcome.BOOKED] * beside, Outcome.BAD_SIGNATURE, Outcome.BOOKED]
    booked = town.roots()
    assert town.sequencer.submit([good], town.now_s) == [Outcome.BOOKED], "a repeat gets its first outcome"
    assert town.roots() == booked


def signature(wire: bytes, change: object) -> bytes:
    """Return a batch with another signature."""
    assert callable(change)
    told = read_request(wire).signature
    r, s = change(int(told[:64], 16), int(told[64:], 16))
    return wire.replace(told.encode(), f"{r:064x}{s:064x}".encode())


@given(secret=st.integers(1, P256_ORDER - 1), as_curve=st.sampled_from(["P-256", "secp256k1"]))
def test_nobody_else_signs_for_it_whatever_the_curve(secret: int, as_curve: str) -> None:
    town = forged_town()
    signer: RequestSigner = P256Signer(secret) if as_curve == "P-256" else SigningKey((secret).to_bytes(32))
    wire = reading(town, signer)
    stolen = wire.replace(signer.id.encode(), secure_key(SECURE).id.encode(), 1)
    before = town.roots()
    assert town.send(wire) is Outcome.UNKNOWN_KEY
    assert town.send(stolen) is Outcome.BAD_SIGNATURE
    assert town.roots() == before


_TOWNS: list[Community] = []


def forged_town() -> Community:
    if not _TOWNS:
        _TOWNS.append(SecureGateways())
    return _TOWNS[0]


@pytest.mark.parametrize(("registered", "other"), [("P-256", "secp256k1"), ("secp256k1", "P-256")])
def test_a_key_that_is_registered_under_one_curve_signs_under_no_other(registered: str, other: str) -> None:
    town = SecureGateways()
    told = {"what": "gateway", "gateway": "gw-new", "public": ON_BOTH_CURVES.public.hex(), "alg": registered}
    assert town.send(town.wire("operator", Kind.REGISTER, told)) is Outcome.BOOKED
    own = town.state.gateways["gw-new"].key
    signer: RequestSigner = ON_BOTH_CURVES if other == "P-256" else SigningKey((3).to_bytes(32))
    request = replace(read_request(reading(town)), author=own, seq=1, on_behalf_of="gw-new")
    assert town.send(sign_request(request, signer).wire_bytes()) is Outcome.BAD_SIGNATURE
    unnamed = replace(request, author=signer.id)
    expected = Outcome.BAD_SIGNATURE if signer.id == own else Outcome.UNKNOWN_KEY
    assert town.send(sign_request(unnamed, signer).wire_bytes()) is expected


@pytest.mark.parametrize("role", ["member", "planner", "oracle", "dso", "agent", "installer"])
def test_nobody_but_a_gateway_holds_one(role: str) -> None:
    town = SecureGateways()
    before = town.roots()
    public = secure_key("eve").public.hex()
    told = {"what": "key", "public": public, "alg": "P-256", "role": role, "account": "eve"}
    assert town.send(town.wire("operator", Kind.REGISTER, told)) is Outcome.MALFORMED
    grant = {"what": "grant", "to": public, "kinds": ["order"], "until_s": town.now_s + 900}
    assert town.send(town.wire("anna", Kind.DELEGATE, grant)) is not Outcome.BOOKED
    assert (town.roots().leaves - before.leaves, secure_key("eve").id in town.state.keys) in ((0, False), (1, False))


@pytest.mark.parametrize(
    ("public", "alg", "outcome"),
    [
        (P256Signer(2).public, "secp256k1", Outcome.NOT_ALLOWED),  # its x is on one curve only
        (SigningKey((1).to_bytes(32)).public, "P-256", Outcome.NOT_ALLOWED),
        (secure_key("gw-new").public, "P-384", Outcome.MALFORMED),
        (secure_key("gw-new").public, "p-256", Outcome.MALFORMED),
        (secure_key("gw-ben").public, "P-256", Outcome.ALREADY_THERE),
    ],
)
def test_a_gateway_is_registered_with_a_new_point_of_its_own_curve(public: bytes, alg: str, outcome: Outcome) -> None:
    town = SecureGateways()
    told = {"what": "gateway", "gateway": "gw-new", "public": public.hex(), "alg": alg}
    assert town.send(town.wire("operator", Kind.REGISTER, told)) is outcome


def test_a_gateway_that_greets_shows_its_p_256_key() -> None:
    town = SecureGateways()

    async def never(wires: list[bytes]) -> list[Outcome]:
        raise AssertionError(wires)

    office = PostOffice(lambda: town.state, key("operator"), never, lambda: NOON * 1_000)
    said = greeting(NAME, SECURE, "challenge")
    office.admit(SECURE, "challenge", secure_key(SECURE).sign(said))
    with pytest.raises(Refused, match="registered for it"):
        office.admit(SECURE, "challenge", secure_key("gw-ben").sign(said))


@pytest.mark.row("E14")
def test_a_witness_re_runs_its_batches_and_cosigns(tmp_path: Path) -> None:
    town = SecureWatched()
    log = DirectLog(town.store)
    log.note = town.slot()
    with watching(tmp_path, log) as (anne, _):
        assert anne.look().size == len(town.rows()) - 1


def test_a_batch_of_its_own_that_was_held_back_is_proven() -> None:
    town = SecureGateways()
    wire = reading(town)
    due(town)
    receipt = receipt_at(town, [wire])
    town.agree("ben", "ben-battery", standing=False)
    town.agree("ben", "ben-battery")
    case = claim(town, [wire], receipt)
    assert case.alg == "P-256"
    assert "has never seen it" in check(case)
    with pytest.raises((Refused, InvalidValue)):
        check(msgspec.structs.replace(case, alg="secp256k1"))
