"""The community's side of its gateways: admits them, has their requests decided, and writes them what devices shall do.

Whatever the line, this is behind it. It believes signatures alone: of requests, of greetings, and its own on letters.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence

from commonwatt.flows.gateway.letters import Answers, Orders, digest, greeting, seal, told, unpack
from commonwatt.flows.rulebook import State
from commonwatt.flows.trading_day import commands
from commonwatt.identity.keys import RequestSigner
from commonwatt.model import SLOT_SECONDS, Command, GatewayId, InvalidValue, KeyId, Outcome, Refused

AUTHOR = slice(len('{"author":"'), len('{"author":"0x') + 40)
"""Where a request in canonical form names its signer."""
BELIEVED_S = 2 * SLOT_SECONDS
"""How long orders are worth believing; commands expire by themselves before."""
Submit = Callable[[list[bytes]], Awaitable[list[Outcome]]]


class PostOffice:
    """One community's.

    Args:
        state: At the end of its log, as the sequencer has it.
        key: The operator's.
        submit: Has requests decided, and returns their outcomes once they are durable.
        now_ms: The clock, milliseconds since 1970: orders are numbered by it.
    """

    def __init__(
        self, state: Callable[[], State], key: RequestSigner, submit: Submit, now_ms: Callable[[], int]
    ) -> None:
        self._state, self._key, self._submit, self._now_ms = state, key, submit, now_ms
        self._said: dict[GatewayId, tuple[int, list[Command]]] = {}
        self._number = 0

    @property
    def community(self) -> str:
        """Whose."""
        return self._state().community

    def challenge(self) -> str:
        """Return what a gateway that has connected is to sign, once."""
        return secrets.token_hex(32)

    def admit(self, number: str, challenge: str, signature: str) -> None:
        """Let in a gateway that signed what it was asked to.

        Raises:
            Refused: No such gateway is registered, or its key did not sign.
        """
        state = self._state()
        gateway = state.gateways.get(GatewayId(number))
        if gateway is None:
            raise Refused("a gateway is registered before it connects", gateway=number)
        if not state.keys[gateway.key].verifying.verify(greeting(self.community, number, challenge), signature):
            raise Refused("a gateway signs with the key that is registered for it", gateway=number)

    async def take(self, bursts: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Have bursts decided, all at once, and return a letter with the answers for each gateway whose it can be.

        Args:
            bursts: Each with the gateway that it is said to come from. What another key than that gateway's would
                sign is not even looked at.

        Raises:
            Refused: The log takes nothing more.
        """
        state, own = self._state(), list[tuple[str, bytes, KeyId | None, list[bytes]]]()
        wires = list[bytes]()
        for number, burst in bursts:
            try:
                parts = unpack(burst)
            except InvalidValue:
                continue
            known = state.gateways.get(GatewayId(number))
            key = known.key if known is not None else None
            if key is None or any(wire[AUTHOR] != key.encode() for wire in parts):
                key = None
            else:
                wires += parts
            own.append((number, burst, key, parts))
        outcomes = await self._submit(wires) if wires else []
        letters, at, now_s = list[Answers](), 0, self._now_ms() // 1000
        for number, burst, key, parts in own:
            found = [Outcome.UNKNOWN_KEY] * len(parts)
            if key is not None:
                found = outcomes[at : at + len(parts)]
                at += len(parts)
            letters.append(
                Answers(
                    community=self.community,
                    gateway=number,
                    burst=digest(burst),
                    told_s=now_s,
                    outcomes=found,
                    next_seq=1 if key is None else self._state().keys.next_seq(key),
                )
            )
        sealed = seal(letters, self._key) if letters else []
        return [(letter.gateway, wire) for letter, wire in zip(letters, sealed, strict=True)]

    def orders(self, gateways: Sequence[str] | None = None, *, again: bool = False) -> list[tuple[str, bytes]]:
        """Return letters for all gateways that are to be told something else than before, or in a new slot.

        Args:
            gateways: Those alone, and whether or not they were told: they have just connected.
            again: Whether or not they were told: whoever carries it may have lost it.
        """
        state, slot_s = self._state(), self._now_ms() // 1000 // SLOT_SECONDS * SLOT_SECONDS
        by_gateway: dict[GatewayId, list[Command]] = {}
        for asset, command in commands(state, slot_s).items():
            by_gateway.setdefault(state.assets[asset].gateway, []).append(command)
        if gateways is None:
            wanted = list(by_gateway.keys() | self._said.keys())
        else:
            wanted = [GatewayId(number) for number in gateways]
        letters = list[Orders]()
        for number in sorted(wanted):
            due = slot_s, by_gateway.get(number, [])
            before = self._said.get(number)
            idle = before == due or (not due[1] and (before is None or not before[1]))
            if idle and gateways is None and not again:
                continue
            self._said[number] = due
            letters.append(self._letter(number, slot_s, due[1]))
        sealed = seal(letters, self._key) if letters else []
        return [(letter.gateway, wire) for letter, wire in zip(letters, sealed, strict=True)]

    def _letter(self, number: GatewayId, slot_s: int, due: Sequence[Command]) -> Orders:
        now_ms = self._now_ms()
        self._number = max(self._number + 1, now_ms)
        return Orders(
            community=self.community,
            gateway=number,
            number=self._number,
            slot_s=slot_s,
            told_s=now_ms // 1000,
            until_s=now_ms // 1000 + BELIEVED_S,
            commands=[told(command) for command in due],
        )
