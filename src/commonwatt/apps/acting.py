"""Members' agents in a live community: they act for those whose keys the folder keeps, once in each slot."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from commonwatt.apps.wiring import open_key
from commonwatt.flows.agents import acts
from commonwatt.flows.desk import Desk
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.model import SLOT_SECONDS, AccountId, Corrupt, Refused


@dataclass(slots=True)
class Agents:
    """Lets agents act as the simulated day does, through the same queue as everybody's requests.

    They act once a slot is settled, so after its readings; what an agent asks for that the log has moved past by the
    time it comes to stand is refused by the rules, and asked for again in the next slot. Who keeps the own key acts
    with it, or lets a delegate.

    Args:
        folder: Holds the members' keys.
        sequencer: The community's writer.
        hand_in: Puts requests in line.
    """

    folder: Path
    sequencer: Sequencer
    hand_in: Callable[[list[bytes]], None]
    _acted_s: int = field(init=False)
    _keys: dict[AccountId, SigningKey] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._acted_s = self.sequencer.state.settled_to_s

    def look(self) -> None:
        """Let all agents act if a slot has been settled since they last did."""
        state = self.sequencer.state
        if state.settled_to_s <= self._acted_s:
            return
        self._acted_s = state.settled_to_s
        desk = Desk(state)
        settled_s = self._acted_s - SLOT_SECONDS
        for account, kind, body in acts(state, self.sequencer.tree.root(), settled_s):
            key = self._key(account)
            if key is not None:
                desk.write(key, account, kind, body)
        if desk.wires:
            self.hand_in(desk.wires)

    def _key(self, account: AccountId) -> SigningKey | None:
        """Return a member's own key, where the folder keeps it; its files are named after accounts."""
        if account not in self._keys:
            try:
                key = open_key(self.folder, account)
            except (Refused, Corrupt):
                return None
            record = self.sequencer.state.keys.get(key.id)
            if record is None or record.role != "member" or record.account != account:
                return None
            self._keys[account] = key
        return self._keys[account]
