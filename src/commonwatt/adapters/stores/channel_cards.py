"""A payer's channels in a folder: what each is, for which nobody else can be asked, and beside it the book."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.adapters.stores.keyfile import load_secret, save_first
from commonwatt.adapters.stores.vouchers import PocketFile
from commonwatt.model import Corrupt, Refused
from commonwatt.tokens.channel import MOST_DELAY_S, Config

_ID = re.compile("[0-9a-f]{1,64}")
_SHORTEST = 6
_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]


class ChannelCard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel as its payer keeps it: without it nobody could say what the channel's id is made of.

    Args:
        channel: Its id.
        till: Where vouchers are shown.
        community: Whose till.
        account: For whom it pays there.
        number: Which of that account's channels.
        chain_id: The chain's number.
        contract: The contract of channels there.
        payer, signer, payee, token: Addresses, see `commonwatt.tokens.channel.Config`.
        delay_s: Likewise.
        salt: 64 hex digits.
    """

    channel: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    till: str
    community: str
    account: str
    number: Annotated[int, Meta(ge=0, le=2**31)]
    chain_id: Annotated[int, Meta(ge=1)]
    contract: _Address
    payer: _Address
    signer: _Address
    payee: _Address
    token: _Address
    delay_s: Annotated[int, Meta(ge=0, le=MOST_DELAY_S)]
    salt: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

    @property
    def config(self) -> Config:
        """What the channel is on its chain."""
        return Config(
            payer=self.payer,
            signer=self.signer,
            payee=self.payee,
            token=self.token,
            delay_s=self.delay_s,
            salt=int(self.salt, 16),
        )


class ChannelCards:
    """A folder of them, mode 0700; no card is ever written over, since a channel never changes.

    Args:
        folder: Made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def kept(self) -> list[ChannelCard]:
        """Return all, by id.

        Raises:
            Refused: A file is open to others.
            Corrupt: A file is damaged.
        """
        return [self._read(path) for path in sorted(self._folder.glob("*.json"))] if self._folder.is_dir() else []

    def find(self, begins: str) -> ChannelCard:
        """Return the channel whose id begins so.

        Raises:
            Refused: None does, or several do, or that is too little of it; or a file is open to others.
            Corrupt: Its file is damaged.
        """
        begins = begins.lower().removeprefix("0x")
        if not _ID.fullmatch(begins) or len(begins) < _SHORTEST:
            raise Refused(f"a channel is named by {_SHORTEST} or more of its first digits", found=begins[:80])
        found = sorted(self._folder.glob(f"{begins}*.json")) if self._folder.is_dir() else []
        if len(found) != 1:
            raise Refused("a channel of this wallet has an id that begins so", begins=begins, found=len(found))
        return self._read(found[0])

    def add(self, card: ChannelCard) -> None:
        """Keep a card, durably; the same again changes nothing.

        Raises:
            OSError: The disk is full or broken.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{card.channel}.json"
        if not path.exists():
            save_first(path, msgspec.json.format(msgspec.json.encode(card)) + b"\n")

    def pocket(self, card: ChannelCard) -> PocketFile:
        """Open the book of a channel; errors as in `PocketFile`."""
        return PocketFile(self._folder / f"{card.channel}.sqlite")

    def _read(self, path: Path) -> ChannelCard:
        try:
            card = msgspec.json.decode(load_secret(path), type=ChannelCard)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Corrupt(f"{path} does not tell of a channel: {error}") from error
        if card.channel != path.stem:
            raise Corrupt(f"{path} tells of another channel, {card.channel}")
        return card
