"""Names of things, each a type of its own so that one is never passed for another."""

from typing import NewType

CommunityId = NewType("CommunityId", str)
KeyId = NewType("KeyId", str)
"""Ethereum-style address of a signing key: ``0x`` and 40 lower-case hex digits."""
AccountId = NewType("AccountId", str)
"""Pseudonym under which a member (or ``grid``, ``losses``, ...) stands in the books."""
AssetId = NewType("AssetId", str)
GatewayId = NewType("GatewayId", str)
"""The number on the gateway's case, unique in a community."""
OrderId = NewType("OrderId", str)
"""``<log position>.<item>``: an order is named by where it stands in the log."""
