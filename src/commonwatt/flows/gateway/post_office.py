"""The community's side of its gateways: admits them, has their requests decided, and writes them what devices shall do.

Whatever the line, this is behind it. It believes signatures alone: of requests, of greetings, and its own on letters.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from commonwatt.flows.gateway.letters import Answers, Called, Orders, digest, greeting, seal, told, unpack
from commonwatt.flows.rulebook import State
from commonwatt.flows.trading_day import commands
from commonwatt.identity.keys import RequestSigner
from commonwatt.model import (
    SLOT_SECONDS,
    AssetKind,
    Command,
    GatewayId,
    InvalidValue,
    KeyId,
    Outcome,
    Refused,
)
from commonwatt.tokens.prepaid import Supply

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
        demands: What is broadcast to all gateways now.
    """

    def __init__(
        self,
        state: Callable[[], State],
        key: RequestSigner,
        submit: Submit,
        now_ms: Callable[[], int],
        demands: Callable[[], Sequence[Called]] = tuple,
    ) -> None:
        self._state, self._key, self._submit, self._now_ms, self._demands = state, key, submit, now_ms, demands
        self._said: dict[GatewayId, Due] = {}
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
                sign is not even looked at; it is answered, which tells whoever asks by `letters.ask_time` the time.

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
        due = self._due(state, slot_s)
        wanted = list(due.keys() | self._said.keys()) if gateways is None else [GatewayId(name) for name in gateways]
        letters = list[Orders]()
        for number in sorted(wanted):
            now = due.get(number) or Due(slot_s=slot_s, supply=_supplies(state).get(number))
            before = self._said.get(number)
            idle = before == now or (now.idle and (before is None or before.idle))
            if idle and gateways is None and not again:
                continue
            self._said[number] = now
            letters.append(self._letter(number, now))
        sealed = seal(letters, self._key) if letters else []
        return [(letter.gateway, wire) for letter, wire in zip(letters, sealed, strict=True)]

    def _due(self, state: State, slot_s: int) -> dict[GatewayId, "Due"]:
        """Return what each gateway is to be told, of those that are to be told anything."""
        by_gateway: dict[GatewayId, list[Command]] = {}
        for asset, command in commands(state, slot_s).items():
            by_gateway.setdefault(state.assets[asset].gateway, []).append(command)
        supplies, demands = _supplies(state), tuple(self._demands())
        off = {number for number, supply in supplies.items() if supply is not Supply.ENABLED}
        told = by_gateway.keys() | off | (state.gateways.keys() if demands else set())
        return {
            number: Due(
                slot_s=slot_s,
                commands=tuple(by_gateway.get(number, ())),
                supply=supplies.get(number),
                demands=demands,
            )
            for number in told
        }

    def _letter(self, number: GatewayId, due: "Due") -> Orders:
        now_ms = self._now_ms()
        self._number = max(self._number + 1, now_ms)
        return Orders(
            community=self.community,
            gateway=number,
            number=self._number,
            slot_s=due.slot_s,
            told_s=now_ms // 1000,
            until_s=now_ms // 1000 + BELIEVED_S,
            commands=[told(command) for command in due.commands],
            supply=due.supply,
            demands=list(due.demands),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a gateway is to be told in a slot."""

    slot_s: int
    commands: tuple[Command, ...] = ()
    supply: Supply | None = None
    demands: tuple[Called, ...] = ()

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing to do, and nothing out of the ordinary."""
        return not self.commands and not self.demands and self.supply in (None, Supply.ENABLED)


def _supplies(state: State) -> dict[GatewayId, Supply]:
    """Return how the meter of each gateway's connection stands, where the community's charter switches meters."""
    if state.wallets.switch is None:
        return {}
    switch = state.wallets.switch[2]
    points = (asset for asset in state.assets.values() if asset.kind is AssetKind.CONNECTION)
    return {point.gateway: switch.supply(point.owner) for point in points}
