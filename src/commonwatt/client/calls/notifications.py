"""Where and how somebody is told what happens, over HTTP; written by scripts/client.py, not by hand."""

from commonwatt.apps.api.v1.notifications import (
    BrowserWanted,
    ChannelShown,
    HomeWanted,
    MailWanted,
    Offered,
    ToldShown,
    WebhookMade,
    WebhookWanted,
    WishesTold,
)
from commonwatt.client.line import Line, part


class Notifications:
    """Where and how somebody is told what happens, over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def told(self) -> list[ToldShown]:
        """What I was told.

        The newest first, and what became of it on each channel.
        """
        return self._line.call("GET", "/me/notifications", list[ToldShown])

    def offered(self) -> Offered:
        """How I can be told here.

        Ways that are open here; programs and browsers always are.
        """
        return self._line.call("GET", "/me/notifications/offered", Offered)

    def wishes(self) -> WishesTold:
        """How I want to be told.

        Language, quiet hours, and of what.
        """
        return self._line.call("GET", "/me/notifications/wishes", WishesTold)

    def set_wishes(self, told: WishesTold) -> WishesTold:
        """Say how I want to be told.

        In place of what was wished before.
        """
        return self._line.call("PUT", "/me/notifications/wishes", WishesTold, told=told)

    def all_channels(self) -> list[ChannelShown]:
        """Where I am told.

        All channels, programs' too.
        """
        return self._line.call("GET", "/me/channels", list[ChannelShown])

    def add_browser(self, told: BrowserWanted) -> ChannelShown:
        """Be told in this browser.

        That subscribed with the key that is offered.
        """
        return self._line.call("POST", "/me/channels/push", ChannelShown, told=told)

    def add_mail(self, told: MailWanted) -> ChannelShown:
        """Be told by mail.

        At an address where one's letters go already.
        """
        return self._line.call("POST", "/me/channels/mail", ChannelShown, told=told)

    def add_home(self, told: HomeWanted) -> ChannelShown:
        """Be told in my Home Assistant.

        Of a home of one's own, whose broker the operator set up.
        """
        return self._line.call("POST", "/me/channels/home-assistant", ChannelShown, told=told)

    def remove(self, id: str) -> None:
        """Be told no more somewhere.

        Also what is on its way there.
        """
        return self._line.call("DELETE", f"/me/channels/{part(id)}", type(None))

    def try_one(self, id: str) -> None:
        """Send me one now.

        Whether it arrives is seen there, and in the list of channels.
        """
        return self._line.call("POST", f"/me/channels/{part(id)}/try", type(None))

    def webhooks(self) -> list[ChannelShown]:
        """Where my programs are told.

        To a program, those that it made itself.
        """
        return self._line.call("GET", "/me/webhooks", list[ChannelShown])

    def add_webhook(self, told: WebhookWanted) -> WebhookMade:
        """Have a program told.

        By signed posts, as Standard Webhooks has them; what a token made ends with it, and hears of its role alone.
        """
        return self._line.call("POST", "/me/webhooks", WebhookMade, told=told)

    def remove_webhook(self, id: str) -> None:
        """Have a program told no more.

        Also of what is on its way.
        """
        return self._line.call("DELETE", f"/me/webhooks/{part(id)}", type(None))

    def rotate(self, id: str) -> WebhookMade:
        """Make a new secret.

        What is sent is signed with the one before, too, for a day.
        """
        return self._line.call("POST", f"/me/webhooks/{part(id)}/secret", WebhookMade)
