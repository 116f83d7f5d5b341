"""Come in and leave, over HTTP; written by scripts/client.py, not by hand."""

from collections.abc import Mapping

from commonwatt.apps.api.v1.signing_in import (
    Asked,
    InvitedTo,
    SeatShown,
    TakePlace,
    WalletAddress,
    WithPassword,
    WithPrintedCode,
    WithSecret,
    WithWallet,
)
from commonwatt.client.line import Line, part


class SigningIn:
    """Come in and leave, over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def who(self) -> SeatShown:
        """Who sits there.

        The public, where nobody is signed in.
        """
        return self._line.call("GET", "/sign-in", SeatShown)

    def password(self, told: WithPassword) -> SeatShown:
        """Come in with name, password and code.

        Wrong names, passwords and codes are answered alike, and as slowly.
        """
        return self._line.call("POST", "/sign-in/password", SeatShown, told=told)

    def passkey_begin(self) -> Asked:
        """Ask for what a passkey is to sign.

        Options for `navigator.credentials.get`.
        """
        return self._line.call("POST", "/sign-in/passkey/begin", Asked)

    def passkey(self, told: Mapping[str, object]) -> SeatShown:
        """Come in with a passkey.

        The answer of `navigator.credentials.get`, as JSON.
        """
        return self._line.call("POST", "/sign-in/passkey", SeatShown, told=told)

    def wallet_begin(self, told: WalletAddress) -> Asked:
        """Ask for what a wallet is to sign.

        A message of EIP-4361.
        """
        return self._line.call("POST", "/sign-in/wallet/begin", Asked, told=told)

    def wallet(self, told: WithWallet) -> SeatShown:
        """Come in with a wallet.

        The message as it was given, signed.
        """
        return self._line.call("POST", "/sign-in/wallet", SeatShown, told=told)

    def printed_code(self, told: WithPrintedCode) -> SeatShown:
        """Come in with a printed code.

        Good once, and good to set up a lasting way in.
        """
        return self._line.call("POST", "/sign-in/printed-code", SeatShown, told=told)

    def recovery(self, told: WithSecret) -> SeatShown:
        """Come in at the end of a recovery.

        Good once, after a week in which nobody said no, and good to set up a lasting way in.
        """
        return self._line.call("POST", "/sign-in/recovery", SeatShown, told=told)

    def veto(self, told: WithSecret) -> None:
        """Say no to a recovery, from its letter.

        Nobody needs to be signed in for this.
        """
        return self._line.call("POST", "/sign-in/recovery/veto", type(None), told=told)

    def invitation_look(self, told: WithSecret) -> InvitedTo:
        """What an invitation is for.

        Before somebody says yes.
        """
        return self._line.call("POST", "/sign-in/invitation/look", InvitedTo, told=told)

    def invitation(self, told: WithSecret) -> SeatShown:
        """Join by an invitation.

        Good once: opens a session that is good to set up a way in; who is signed in has one role more.
        """
        return self._line.call("POST", "/sign-in/invitation", SeatShown, told=told)

    def organisations(self) -> list[str]:
        """Whose people may come in by their own.

        Names for `POST /sign-in/organisation/{name}`.
        """
        return self._line.call("GET", "/sign-in/organisations", list[str])

    def organisation(self, name: str, *, next: str = "/", link: bool = False) -> Asked:
        """Leave for an organisation's sign-in.

        A link to follow. With `link`, who is signed in sets it up as a way in.
        """
        return self._line.call("POST", f"/sign-in/organisation/{part(name)}", Asked, query={"next": next, "link": link})

    def place(self, told: TakePlace) -> SeatShown:
        """Go on in another role.

        The session's secret changes with it.
        """
        return self._line.call("PUT", "/sign-in/place", SeatShown, told=told)

    def leave(self) -> None:
        """Leave.

        Ends this session.
        """
        return self._line.call("DELETE", "/sign-in", type(None))
