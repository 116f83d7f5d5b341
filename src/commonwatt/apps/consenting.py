"""Say how a member lets their assets be scheduled, and decide what waits: signed, through the community's door."""

from dataclasses import dataclass
from datetime import time
from pathlib import Path

from commonwatt.apps.asking import opened, send
from commonwatt.flows.onboard import consent_body
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.flexibility.proposed import Proposal
from commonwatt.model import AccountId, AssetId, Consent, InvalidValue, Kind, Outcome, Refused, epoch, instant, zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one asset may be scheduled, and what waits for a decision or was decided last.

    Args:
        asset: Which.
        consent: What holds for it.
        proposal: The last schedule that was put to its owner since then, with its deadline.
        deadline: By when that is or was to be decided, in the community's time.
    """

    asset: AssetId
    consent: Consent
    proposal: Proposal | None = None
    deadline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What was said for an account, and what became of it."""

    account: AccountId
    body: bodies.Agreement
    outcome: Outcome


def standing(folder: Path, name: str) -> list[Standing]:
    """Return how a member's storing assets may be scheduled, as far as the log in a folder has been written.

    Args:
        folder: The community's, with the member's key.
        name: Of the key, as its file in the folder's keys.

    Raises:
        Refused: There is no such key or log, or the log does not know it.
    """
    _, account, state = opened(folder, name)
    clock = zone_of(state.charter.timezone)
    found = []
    for asset in state.assets.values():
        if asset.owner == account and asset.stores:
            proposal = state.proposals.get(asset.id)
            until = f"{instant(proposal.deadline_s).astimezone(clock):%Y-%m-%d %H:%M}" if proposal else ""
            consent = state.consent(asset.id)
            found.append(Standing(asset=asset.id, consent=consent, proposal=proposal, deadline=until))
    return found


def agree(folder: Path, name: str, asset: str | None, consent: Consent, host: str, port: int) -> Agreed:
    """Sign a consent with a member's key, and send it through the door.

    Args:
        folder: As in `standing`.
        name: Likewise.
        asset: Which; None for all that the account owns.
        consent: What holds from here on.
        host: Where the door is.
        port: Likewise.

    Raises:
        Refused: There is no such key or log, the log does not know it, or the request was refused; says how.
        OSError: The line to the door broke.
    """
    body = consent_body(consent, None if asset is None else AssetId(asset))
    done = send(folder, name, Kind.CONSENT, body, host, port)
    return Agreed(account=done.account, body=body, outcome=done.outcome)


def decide(folder: Path, name: str, asset: str, *, accept: bool, host: str, port: int) -> Agreed:
    """Sign a decision about the schedule that waits for an asset, and send it through the door; see `agree`.

    Raises:
        Refused: Nothing waits for this asset, or as in `agree`.
    """
    _, _, state = opened(folder, name)
    proposal = state.proposals.get(AssetId(asset))
    if proposal is None or proposal.accepted is not None:
        waits = sorted(one for one, known in state.proposals.items() if known.accepted is None)
        raise Refused(
            "a decision is about a schedule that waits for it", asset=asset, waiting=", ".join(waits) or "none"
        )
    decision = bodies.DecisionBody(asset=asset, issued_s=epoch(proposal.schedule.issued), accept=accept)
    done = send(folder, name, Kind.CONSENT, decision, host, port)
    return Agreed(account=done.account, body=decision, outcome=done.outcome)


def minute(text: str) -> int:
    """Return the minute of a day at which a clock shows a time like 22:00.

    Raises:
        InvalidValue: It is no time of day.
    """
    if text == "24:00":
        return 1440
    try:
        at = time.fromisoformat(text)
    except ValueError as error:
        raise InvalidValue(f"a time of day looks like 22:00, was {text!r}") from error
    if len(text) != len("22:00"):
        raise InvalidValue(f"a time of day has hours and minutes and no more, was {text!r}")
    return 60 * at.hour + at.minute


def in_words(consent: Consent) -> str:
    """Tell a consent in words."""
    words = {"always": "every plan", "off": "nothing", "ask": "plans after asking", "within": "plans within limits"}
    told = [words[consent.mode.value]]
    if consent.least_percent is not None:
        told.append(f"never giving below {consent.least_percent} %")
    if consent.most_supply_w is not None:
        told.append(f"giving {consent.most_supply_w} W at most" if consent.most_supply_w else "giving nothing")
    if consent.hours is not None:
        told.append("from {:02d}:{:02d} to {:02d}:{:02d}".format(*(n for at in consent.hours for n in divmod(at, 60))))
    if consent.decide_s is not None:
        told.append(f"decided {consent.decide_s // 60} minutes before the first instruction")
    return ", ".join(told)
