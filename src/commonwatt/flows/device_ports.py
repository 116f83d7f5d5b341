"""The door to a device: what an adapter of any protocol offers, and what its simulator obeys."""

from typing import Protocol, runtime_checkable

from commonwatt.model import Ack, Caps, Command, DeviceState, Nameplate


class Device(Protocol):
    """One thing that measures, and may be told what to do, behind one connection of whatever protocol.

    What it was told it holds until the command expires or its lease is over, whichever comes first, and then goes to
    its safe default by itself: losing us must be safe. Every call returns or raises within a few seconds.
    """

    @property
    def caps(self) -> Caps:
        """What it can be told; may become known, or change, only once it is connected."""

    async def read(self) -> DeviceState:
        """Return what it shows now.

        Raises:
            Unreachable: It gave no answer, or none in time.
            InvalidValue: What it said cannot be true; nothing of it is used.
        """

    async def apply(self, command: Command) -> Ack:
        """Make it hold a band, and return the band that it really took, or why it took none.

        The droop of a command is not its business, for whoever keeps devices moves the band; but a device whose
        ``caps.droops`` says so follows the curve itself, within the command's droop band.

        Raises:
            Unreachable: It gave no answer, or none in time; it may hold the band or not.
        """

    async def release(self) -> None:
        """Let it go to its safe default.

        Raises:
            Unreachable: It gave no answer; it goes there by itself when its lease is over.
        """

    async def close(self) -> None:
        """Let go of the connection. What it was told runs out by itself."""


@runtime_checkable
class Pushing(Protocol):
    """A device that tells when it likes: what it said last may be older than the moment that matters."""

    async def fresh(self) -> None:
        """Wait until it has told what it measured after this call.

        Raises:
            Unreachable: It told nothing in time.
        """


@runtime_checkable
class Identified(Protocol):
    """What a device offers beside its port where its protocol can tell what it is."""

    async def identity(self) -> Nameplate:
        """Return what its nameplate says.

        Raises:
            Unreachable: It gave no answer, or none in time.
            InvalidValue: What it said makes no sense.
        """


@runtime_checkable
class Clocked(Protocol):
    """What a device offers beside its port where it tells the time."""

    @property
    def clock_ahead_s(self) -> int | None:
        """By how many seconds its clock was ahead of ours when it told it last, else None; below zero: behind."""
