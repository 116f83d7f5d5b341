"""The entrance of one community's folder: who is known there, whose organisations may come, the trail into the log."""

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from commonwatt.adapters.organisations.client import DirectoryClient
from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.apps import feeds
from commonwatt.apps.api.gate import Gate
from commonwatt.apps.asking import state_of
from commonwatt.apps.community import Community
from commonwatt.apps.wiring import open_key, open_log, open_people
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.heads import next_head
from commonwatt.flows.entrance.ports import People
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import State, bodies
from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.identity.signing_in.organisations import Organisation
from commonwatt.identity.signing_in.site import Site
from commonwatt.model import AccountId, CommunityId, Corrupt, Kind, Outcome, Refused

ORGANISATIONS = "organisations.toml"
OPERATOR = AccountId("operator")
TRAIL_EVERY_S = 600.0
"""Between two looks at whether the log knows how far the trail goes."""

_log = logging.getLogger(__name__)


class _Listed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    issuer: str
    client_id: str
    secret_file: str = ""


class _Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    organisation: list[_Listed] = []


def open_hall(folder: Path, origin: str, state: State | None = None) -> Hall:
    """Open the entrance of a folder, of the thread that calls; close its ``people``.

    Args:
        folder: The community's, with its log and master key.
        origin: Where people reach it, for example ``https://localhost:8443``.
        state: At the end of the log, where somebody has it at hand.

    Raises:
        Refused: There is no log, no key to it, or nobody runs the community.
        InvalidValue: The origin is none.
    """
    community, operator = _founded(folder) if state is None else _run_by(state)
    return Hall(
        people=open_people(folder),
        site=Site(name=community, origin=origin),
        community=community,
        operator=operator,
        now_s=lambda: int(time.time()),
        has_account=lambda account: state is None or any(record.account == account for record in state.keys),
        end_calendar=lambda account: feeds.end(folder, account),
    )


def open_gate(folder: Path, origin: str, state: State | None = None) -> Gate:
    """Open the entrance of a folder for HTTP, with its organisations, and the operator's key where it lies there.

    Raises:
        Refused, InvalidValue, Corrupt: As `open_hall` and `organisations`.
    """
    signer: SigningKey | None = None
    with suppress(Refused):
        signer = open_key(folder, "operator")
    return Gate(
        hall=open_hall(folder, origin, state),
        signer=signer,
        directories=DirectoryClient(time.monotonic),
        organisations=organisations(folder),
    )


def organisations(folder: Path) -> dict[str, Organisation]:
    """Read whose people may come in by their own directory: ``organisations.toml`` in the folder, if any.

    A client's secret lies in a file of its own in the folder's keys, mode 0600.

    Raises:
        Corrupt: The file cannot be read as such.
        Refused: Others may read a secret.
    """
    path = folder / ORGANISATIONS
    if not path.exists():
        return {}
    try:
        listed = msgspec.toml.decode(path.read_bytes(), type=_Listing).organisation
    except msgspec.MsgspecError as error:
        raise Corrupt(f"{path.name} lists organisations: {error}") from error
    return {
        one.name: Organisation(
            name=one.name,
            issuer=one.issuer,
            client_id=one.client_id,
            client_secret=_secret(folder, one.secret_file) if one.secret_file else "",
        )
        for one in listed
    }


async def tie_trail(people: People, community: Community) -> Outcome | None:
    """Put the trail's head into the log, signed by the operator; None where the log knows it.

    Raises:
        Refused: The operator's key is not here, or no door is open.
        OSError: The line to the door broke.
    """
    head = next_head(people, community.state)
    return None if head is None else (await community.send(OPERATOR, Kind.ATTEST, head)).outcome


async def keep_trail_tied(people: People, community: Community, every_s: float = TRAIL_EVERY_S) -> None:
    """Go on putting the trail's head into the log, until cancelled; whatever keeps it out is noted, and tried again."""
    while True:
        await asyncio.sleep(every_s)
        try:
            outcome = await tie_trail(people, community)
        except (Refused, OSError) as error:
            _log.warning("the trail is not in the log yet: %s", error)
        except Exception:
            _log.exception("the trail is not in the log, and nobody foresaw why")
        else:
            if outcome not in (None, Outcome.BOOKED):
                _log.error("the log does not take the trail's head: %s", str(outcome))


def _founded(folder: Path) -> tuple[CommunityId, VerifyingKey]:
    """Return a community's name and its operator's key: from the first leaf, which is quick, where there is one."""
    with open_log(folder) as log:
        first = next(iter(log.rows()), None) if log.whole_from == 0 else None
    if first is None:
        return _run_by(state_of(folder))
    request = read_head(first.body)
    body = bodies.read_body(request.kind, request.body)
    assert isinstance(body, bodies.RegisterCommunity)
    return request.community, VerifyingKey(bytes.fromhex(body.public))


def _run_by(state: State) -> tuple[CommunityId, VerifyingKey]:
    if state.operator is None:
        raise Refused("a community is run by somebody", community=state.community)
    return CommunityId(state.community), VerifyingKey(state.keys[state.operator].verifying.public)


def _secret(folder: Path, name: str) -> str:
    if Path(name).name != name:
        raise Corrupt(f"a secret's file lies in the folder's keys, was {name!r}")
    return load_secret(folder / "keys" / name).decode().strip()
