"""By which ways a community tells its people: what `notices.toml` says, and the carriers made of it."""

import os
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.adapters.devices.mqtt.client import Broker, Login, broker
from commonwatt.adapters.devices.mqtt.translate import named
from commonwatt.adapters.notices.home_assistant import HomeAssistant
from commonwatt.adapters.notices.mail import Mail, Security, Server
from commonwatt.adapters.notices.outward import Outward
from commonwatt.adapters.notices.web_push import WebPush, vapid_key
from commonwatt.adapters.notices.webhook import Webhook
from commonwatt.adapters.stores.keyfile import load_secret, passphrase
from commonwatt.adapters.uplink.translate import place
from commonwatt.apps.gateway_folder import read_toml
from commonwatt.apps.household import HomeTerms
from commonwatt.flows.notices.ports import Carrier
from commonwatt.flows.notices.records import Way
from commonwatt.model import AccountId, Corrupt, InvalidValue, Refused

NOTICES = "notices.toml"
PASSWORD = "COMMONWATT_SMTP_PASSWORD"  # noqa: S105  where one may be, no secret
VAPID = "web-push.pem"
_Host = Annotated[str, Meta(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+\Z")]


class MailTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[mail]`` says: see `commonwatt.adapters.notices.mail.Server`; the password lies in a file in ``keys``."""

    host: _Host
    sender: str
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Security = Security.STARTTLS
    user: str = ""
    password_file: str = ""
    ca: Path | None = None


class HomeBroker(HomeTerms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one ``[[home_assistant]]`` says: whose home it is, and its broker."""

    account: Annotated[str, Meta(min_length=1, max_length=64)]


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `notices.toml`.

    Args:
        allowed_hosts: Names at which programs may be told although they are in private networks.
        ca: Who vouches for their certificates; the machine's authorities where there is none.
        contact: Where push services reach who runs this; the site's own address where it is left out.
        mail: The mail server.
        home_assistant: Homes that listen to a broker.
    """

    allowed_hosts: tuple[_Host, ...] = ()
    ca: Path | None = None
    contact: str = ""
    mail: MailTerms | None = None
    home_assistant: tuple[HomeBroker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What is open: carriers by way, and what people need to know of them.

    Args:
        carriers: By way.
        mail: The same as among them; None where no letter leaves.
        push_key: What a browser subscribes with.
        homes: Accounts whose Home Assistant can be told.
    """

    carriers: dict[Way, Carrier]
    mail: Mail | None
    push_key: str
    homes: frozenset[AccountId]


def terms_of(folder: Path) -> Terms:
    """Return what a community's folder says of notices; nothing where it does not.

    Raises:
        InvalidValue: The file says something else.
    """
    path = folder / NOTICES
    return read_toml(path, Terms) if path.exists() else Terms()


def server_of(folder: Path, told: MailTerms) -> Server:
    """Return the mail server, with its password from a file or, where there is none, from the environment.

    Raises:
        InvalidValue, Corrupt: What is told makes no sense.
        Refused: Others may read the password.
        OSError: There is no such file.
    """
    password = os.environ.get(PASSWORD, "")
    if told.password_file:
        if Path(told.password_file).name != told.password_file:
            raise Corrupt(f"a secret's file lies in the folder's keys, was {told.password_file!r}")
        password = load_secret(folder / "keys" / told.password_file).decode().strip()
    if told.user and not password:
        raise Refused("who signs in to a mail server has a password", user=told.user)
    return Server(
        host=told.host,
        port=told.port,
        security=told.security,
        sender=told.sender,
        user=told.user,
        password=password,
        ca=None if told.ca is None else folder / told.ca,
    )


@asynccontextmanager
async def open_ways(folder: Path, terms: Terms, name: str, origin: str) -> AsyncIterator[Ways]:
    """Open all ways of a community, until the end of the block; nothing is connected to but brokers.

    Args:
        folder: The community's.
        terms: What it says.
        name: The community's.
        origin: Where people reach the site.

    Raises:
        InvalidValue, Corrupt, Refused, OSError: A file or an address makes no sense.
    """
    async with AsyncExitStack() as doors:
        outward = Outward(terms.allowed_hosts, _trust(folder, terms))
        doors.push_async_callback(outward.close)
        words = passphrase(folder / "keys" / "passphrase")
        push = WebPush(outward, vapid_key(folder / "keys" / VAPID, words), terms.contact or origin, _now_s)
        carriers: dict[Way, Carrier] = {Way.WEBHOOK: Webhook(outward, _now_s), Way.WEB_PUSH: push}
        mail = None if terms.mail is None else Mail(server_of(folder, terms.mail), name)
        if mail is not None:
            carriers[Way.MAIL] = mail
        homes = HomeAssistant(
            {AccountId(one.account): await _broker(doors, folder, one) for one in terms.home_assistant}
        )
        if homes.accounts:
            await homes.start()
            carriers[Way.HOME_ASSISTANT] = homes
        yield Ways(carriers=carriers, mail=mail, push_key=push.public, homes=homes.accounts)


async def _broker(doors: AsyncExitStack, folder: Path, told: HomeBroker) -> tuple[Broker, str]:
    where = place(told.broker, "mqtt", "mqtts")
    login = Login(
        host=where.host,
        port=where.port,
        status_topic=f"commonwatt/notices/{named(told.account)}/status",
        user=told.user,
        password_file=None if told.password is None else folder / told.password,
        tls=where.scheme == "mqtts",
        ca_file=None if told.ca is None else folder / told.ca,
    )
    login.check()
    return await doors.enter_async_context(broker(login)), told.prefix


def _trust(folder: Path, terms: Terms) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if terms.ca is None else folder / terms.ca)
    except (OSError, ssl.SSLError) as error:
        raise InvalidValue(f"who vouches for programs' certificates, {terms.ca}: {error}") from error


def _now_s() -> int:
    return int(time.time())
