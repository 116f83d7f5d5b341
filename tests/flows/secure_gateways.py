"""The tiny community with gateways whose secure element knows P-256 alone."""

from community import Community, key
from watched import Watched

from commonwatt.identity.keys import RequestSigner
from signers import secure_key


class SecureGateways(Community):
    """Every gateway but the feeder's holds a P-256 key."""

    def key(self, who: str) -> RequestSigner:
        return secure_key(who) if who.startswith("gw-") and who != "gw-feeder" else key(who)


class SecureWatched(SecureGateways, Watched):
    """The same, with checkpoints and witnesses."""
