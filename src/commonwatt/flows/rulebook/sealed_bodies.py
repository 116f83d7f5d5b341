"""What may stand in a request about an order that hides what it wants, or that wants less than before."""

from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False, tag_field="what"):
    pass


class Sealed(_Body, frozen=True, tag="sealed"):
    """Takes a place in the log for an order that nobody can read yet: ``seal`` is `bodies.seal_of` it."""

    seal: Hash


class Amend(_Body, frozen=True, tag="amend"):
    """Lets a WATT order be for less from now on, so that it keeps its place; ``energy_wh`` is what is to be left."""

    order: Name
    energy_wh: Annotated[int, Meta(gt=0, le=10**9)]
