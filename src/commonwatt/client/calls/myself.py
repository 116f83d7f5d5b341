"""One's own access, over HTTP; written by scripts/client.py, not by hand."""

from commonwatt.apps.api.v1.myself import (
    Addresses,
    CodesPrinted,
    Names,
    NoticeShown,
    PasskeyMade,
    PasswordBegun,
    PasswordWanted,
    RecoveryShown,
    SessionShown,
    TokenMade,
    TokenShown,
    TokenWanted,
    WalletSigned,
    WayShown,
)
from commonwatt.apps.api.v1.signing_in import Asked, WalletAddress
from commonwatt.client.line import Line, part


class Myself:
    """One's own access, over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def ways(self) -> list[WayShown]:
        """My ways in.

        All of them, without secrets.
        """
        return self._line.call("GET", "/me/ways", list[WayShown])

    def remove_way(self, id: str) -> None:
        """Take away a way in.

        The last one by which somebody comes in every day stays.
        """
        return self._line.call("DELETE", f"/me/ways/{part(id)}", type(None))

    def password_begin(self) -> PasswordBegun:
        """Begin to set a password.

        A password comes with an authenticator app.
        """
        return self._line.call("POST", "/me/ways/password/begin", PasswordBegun)

    def password(self, told: PasswordWanted) -> WayShown:
        """Set a password.

        In place of one that there was.
        """
        return self._line.call("POST", "/me/ways/password", WayShown, told=told)

    def passkey_begin(self) -> Asked:
        """Begin to make a passkey.

        Options for `navigator.credentials.create`.
        """
        return self._line.call("POST", "/me/ways/passkey/begin", Asked)

    def passkey(self, told: PasskeyMade) -> WayShown:
        """Keep a passkey.

        That the browser just made.
        """
        return self._line.call("POST", "/me/ways/passkey", WayShown, told=told)

    def wallet_begin(self, told: WalletAddress) -> Asked:
        """Begin to keep a wallet.

        A message that it is to sign.
        """
        return self._line.call("POST", "/me/ways/wallet/begin", Asked, told=told)

    def wallet(self, told: WalletSigned) -> WayShown:
        """Keep a wallet.

        Whose holder signed.
        """
        return self._line.call("POST", "/me/ways/wallet", WayShown, told=told)

    def printed_codes(self) -> CodesPrinted:
        """Print codes.

        Ten, each good once; those from before are good no more.
        """
        return self._line.call("POST", "/me/ways/printed-codes", CodesPrinted)

    def sessions(self) -> list[SessionShown]:
        """Where I am signed in.

        The last used first.
        """
        return self._line.call("GET", "/me/sessions", list[SessionShown])

    def revoke_session(self, id: str) -> None:
        """End a session.

        One's own.
        """
        return self._line.call("DELETE", f"/me/sessions/{part(id)}", type(None))

    def tokens(self) -> list[TokenShown]:
        """My programs' tokens.

        Without secrets.
        """
        return self._line.call("GET", "/me/tokens", list[TokenShown])

    def make_token(self, told: TokenWanted) -> TokenMade:
        """Make a token.

        Its secret is shown once.
        """
        return self._line.call("POST", "/me/tokens", TokenMade, told=told)

    def revoke_token(self, id: str) -> None:
        """Revoke a token.

        One's own.
        """
        return self._line.call("DELETE", f"/me/tokens/{part(id)}", type(None))

    def notices(self) -> list[NoticeShown]:
        """What happened to my access.

        What was not seen yet.
        """
        return self._line.call("GET", "/me/notices", list[NoticeShown])

    def notice_seen(self, id: str) -> None:
        """Say that a notice was seen.

        In one session, for all.
        """
        return self._line.call("DELETE", f"/me/notices/{part(id)}", type(None))

    def chosen_guardians(self) -> Names:
        """Who may agree to a recovery.

        Whom one chose, by name; where nobody, others agree as the community's rules say.
        """
        return self._line.call("GET", "/me/guardians", Names)

    def guardians(self, told: Names) -> None:
        """Choose who may agree to a recovery.

        Where any are chosen, nobody else can in their place.
        """
        return self._line.call("PUT", "/me/guardians", type(None), told=told)

    def addresses(self, told: Addresses) -> None:
        """Set where letters go.

        Those to whom they went until now are told.
        """
        return self._line.call("PUT", "/me/addresses", type(None), told=told)

    def recoveries(self) -> list[RecoveryShown]:
        """Recoveries of my access.

        All, also those that are over.
        """
        return self._line.call("GET", "/me/recoveries", list[RecoveryShown])

    def veto(self, id: str) -> None:
        """Say no to a recovery.

        Of one's own access, from any session.
        """
        return self._line.call("DELETE", f"/me/recoveries/{part(id)}", type(None))
