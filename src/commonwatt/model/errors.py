"""The errors of the project: each says which rule, which thing and what was found."""


class CommonwattError(Exception):
    """Root of every error that the project raises on purpose."""


class InvalidValue(CommonwattError, ValueError):
    """A value was refused where it was made: it could not be true of any real thing."""


class Refused(CommonwattError):
    """A rule said no.

    Args:
        rule: The rule in words, for example ``"above fuse rating"``.
        **found: The thing and what was found, as keyword arguments.
    """

    def __init__(self, rule: str, **found: object) -> None:
        self.rule = rule
        self.found = found
        details = ", ".join(f"{name} {value}" for name, value in found.items())
        super().__init__(f"{rule}: {details}" if details else rule)


class Unreachable(CommonwattError):
    """A device or service gave no answer, or none in time; what it was told may or may not have arrived."""


class Corrupt(CommonwattError):
    """Stored or received bytes contradict themselves; nothing may be built on them."""


class Erased(Corrupt):
    """What is asked for was erased with its owner's key; its hash stays, and nothing else is wrong."""
