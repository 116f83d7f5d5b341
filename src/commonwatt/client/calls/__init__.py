"""All calls of the API, a group a module of its routes; written by scripts/client.py, not by hand."""

from functools import cached_property
from typing import TYPE_CHECKING

from commonwatt.client.line import Line

if TYPE_CHECKING:
    from commonwatt.client.calls.assets import Assets
    from commonwatt.client.calls.audits import Audits
    from commonwatt.client.calls.chain import Chain
    from commonwatt.client.calls.commons import Commons
    from commonwatt.client.calls.contracts import Contracts
    from commonwatt.client.calls.devices import Devices
    from commonwatt.client.calls.events import Events
    from commonwatt.client.calls.feeds import Feeds
    from commonwatt.client.calls.forecasts import Forecasts
    from commonwatt.client.calls.homes import Homes
    from commonwatt.client.calls.markets import Markets
    from commonwatt.client.calls.myself import Myself
    from commonwatt.client.calls.notifications import Notifications
    from commonwatt.client.calls.people import People
    from commonwatt.client.calls.proofs import Proofs
    from commonwatt.client.calls.requests import Requests
    from commonwatt.client.calls.signing_in import SigningIn
    from commonwatt.client.calls.wallets import Wallets


class Calls:
    """The calls by group; what a group answers with is loaded when it is first asked."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @cached_property
    def signing_in(self) -> "SigningIn":
        """Come in and leave, over HTTP."""
        from commonwatt.client.calls.signing_in import SigningIn  # noqa: PLC0415

        return SigningIn(self._line)

    @cached_property
    def myself(self) -> "Myself":
        """One's own access, over HTTP."""
        from commonwatt.client.calls.myself import Myself  # noqa: PLC0415

        return Myself(self._line)

    @cached_property
    def notifications(self) -> "Notifications":
        """Where and how somebody is told what happens, over HTTP."""
        from commonwatt.client.calls.notifications import Notifications  # noqa: PLC0415

        return Notifications(self._line)

    @cached_property
    def people(self) -> "People":
        """People and their roles, over HTTP."""
        from commonwatt.client.calls.people import People  # noqa: PLC0415

        return People(self._line)

    @cached_property
    def homes(self) -> "Homes":
        """A home at a glance over HTTP, and where it stands."""
        from commonwatt.client.calls.homes import Homes  # noqa: PLC0415

        return Homes(self._line)

    @cached_property
    def assets(self) -> "Assets":
        """Assets over HTTP."""
        from commonwatt.client.calls.assets import Assets  # noqa: PLC0415

        return Assets(self._line)

    @cached_property
    def feeds(self) -> "Feeds":
        """A member's calendar over HTTP."""
        from commonwatt.client.calls.feeds import Feeds  # noqa: PLC0415

        return Feeds(self._line)

    @cached_property
    def markets(self) -> "Markets":
        """The markets over HTTP: what stands, who traded, and orders."""
        from commonwatt.client.calls.markets import Markets  # noqa: PLC0415

        return Markets(self._line)

    @cached_property
    def wallets(self) -> "Wallets":
        """Wallets over HTTP: what is held, what came and went, and sending."""
        from commonwatt.client.calls.wallets import Wallets  # noqa: PLC0415

        return Wallets(self._line)

    @cached_property
    def chain(self) -> "Chain":
        """The community's chain over HTTP."""
        from commonwatt.client.calls.chain import Chain  # noqa: PLC0415

        return Chain(self._line)

    @cached_property
    def requests(self) -> "Requests":
        """Signed requests over HTTP, as their authors wrote them."""
        from commonwatt.client.calls.requests import Requests  # noqa: PLC0415

        return Requests(self._line)

    @cached_property
    def commons(self) -> "Commons":
        """What is nobody's alone over HTTP."""
        from commonwatt.client.calls.commons import Commons  # noqa: PLC0415

        return Commons(self._line)

    @cached_property
    def contracts(self) -> "Contracts":
        """Contracts over HTTP."""
        from commonwatt.client.calls.contracts import Contracts  # noqa: PLC0415

        return Contracts(self._line)

    @cached_property
    def forecasts(self) -> "Forecasts":
        """Forecasts over HTTP."""
        from commonwatt.client.calls.forecasts import Forecasts  # noqa: PLC0415

        return Forecasts(self._line)

    @cached_property
    def proofs(self) -> "Proofs":
        """Proofs over HTTP."""
        from commonwatt.client.calls.proofs import Proofs  # noqa: PLC0415

        return Proofs(self._line)

    @cached_property
    def audits(self) -> "Audits":
        """What auditors do over HTTP."""
        from commonwatt.client.calls.audits import Audits  # noqa: PLC0415

        return Audits(self._line)

    @cached_property
    def devices(self) -> "Devices":
        """Devices over HTTP."""
        from commonwatt.client.calls.devices import Devices  # noqa: PLC0415

        return Devices(self._line)

    @cached_property
    def events(self) -> "Events":
        """Events of the grid over HTTP."""
        from commonwatt.client.calls.events import Events  # noqa: PLC0415

        return Events(self._line)
