"""A watchtower claims in time: whoever begins to take a deposit back pays what they signed before."""

from pathlib import Path
from typing import Any

import pytest
from till_town import Town

from channel_hall import DELAY_S, PAYEE, PAYER, STRANGER, Hall
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.flows.chain_ports import Block, TxHash
from commonwatt.flows.channels import watchtower
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.watchtower import AGAIN_AFTER_BLOCKS, SETTLES_S, Watchtower
from commonwatt.model import Unreachable
from commonwatt.tokens.channel import Verdict
from on_chain import BOB

pytestmark = pytest.mark.row("H3")


class Network:
    """The embedded chain as a network shows itself: final some blocks late, now and then losing what it was sent."""

    def __init__(self, chain: EvmChain) -> None:
        self.chain, self.lag, self.loses, self.away = chain, 0, 0, False

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise Unreachable("the node gives no answer")
        return getattr(self.chain, name)

    def final(self) -> Block:
        found: Block = self.block(max(0, self.head().number - self.lag))
        return found

    def send(self, *args: Any, **more: Any) -> TxHash:
        if self.loses:
            self.loses -= 1
            return bytes(32)
        tx: TxHash = self.chain.send(*args, **more)
        return tx


class Watched(Town):
    """The town, seen over a network."""

    def __init__(self, folder: Path) -> None:
        hall = Hall()
        self.network = Network(hall.chain)
        self.over = Channels(self.network, hall.channels.contract)
        super().__init__(folder, hall)

    @property
    def channels(self) -> Channels:
        return self.over

    def tower(self) -> Watchtower:
        return Watchtower(self.channels, self.held, PAYEE.id, STRANGER)

    def got(self) -> int:
        return self.hall.holds(PAYEE)

    def blocks(self, count: int) -> None:
        for _ in range(count):
            self.hall.embedded.make_empty_block()


@pytest.fixture
def town(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_what_was_signed_is_claimed_before_the_payer_can_have_it(town: Watched) -> None:
    channel, tower = town.open(), town.tower()
    town.show(channel, 700_000)
    assert tower.look() == []
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    assert town.show(channel, 800_000).verdict is Verdict.ENDING, "nothing more is taken through it"
    (found,) = tower.look()
    assert (found.channel, found.owed, found.sent) == (channel.id, 700_000, True)
    assert town.got() == 700_000
    assert tower.look() == []
    had = town.hall.holds(PAYER)
    town.hall.clock.now_s = town.hall.next_s + DELAY_S
    town.hall.done(town.channels.finish(PAYER, town.config()))
    assert town.hall.holds(PAYER) - had == 5_000_000 - 700_000


def test_a_watchtower_that_was_down_claims_when_it_is_back(town: Watched) -> None:
    """It was killed before it looked; or after its claim was sent and before it knew."""
    for number in range(3):
        town.show(town.open(number=number), 100_000 * (number + 1))
        town.hall.done(town.channels.withdraw(PAYER, town.config(number=number)))
    town.network.away = True
    with pytest.raises(Unreachable):
        town.tower().look()
    town.network.away = False
    town.held.close()
    town.start()
    assert [found.sent for found in town.tower().look()] == [True] * 3
    assert town.got() == 600_000
    assert town.tower().look() == [], "another life finds nothing left to claim"
    assert town.got() == 600_000


def test_a_withdrawal_that_is_only_seen_is_answered_at_once_and_watched_until_it_is_final(town: Watched) -> None:
    channel, tower = town.open(), town.tower()
    town.show(channel, 700_000)
    tower.look()
    town.blocks(10)
    town.network.lag = 10
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    began = town.hall.chain.head().number
    tower.look()
    assert town.got() == 700_000, "long before it is final"
    assert town.held.watched_to() <= began
    town.blocks(5)
    (found,) = tower.look()
    assert (found.owed, found.sent) == (0, False), "claimed as seen, and not for good yet"
    assert town.held.watched_to() <= began
    town.hall.clock.now_s += SETTLES_S
    town.blocks(20)
    assert tower.look() == []
    assert town.held.watched_to() > began, "done with: it is not looked at again"


def test_a_deposit_that_was_only_seen_is_no_money(town: Watched) -> None:
    town.blocks(10)
    town.network.lag = 5
    channel, had = town.open(), town.ergon()
    assert town.show(channel, 100).verdict is Verdict.NOT_OPEN
    town.blocks(5)
    assert town.show(channel, 100).verdict is Verdict.ACCEPTED
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    assert town.show(channel, 200).verdict is Verdict.ENDING, "a withdrawal counts before it is final"
    assert town.ergon() - had == 100


def test_a_claim_that_the_network_lost_is_sent_again(town: Watched) -> None:
    town.show(town.open(), 700_000)
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    town.network.loses, tower = 1, town.tower()
    for _ in range(AGAIN_AFTER_BLOCKS):
        (found,) = tower.look()
        assert (found.owed, found.sent) == (700_000, True)
        assert town.got() == 0
        town.blocks(1)
    tower.look()
    assert town.got() == 700_000


def test_a_voucher_that_was_just_being_kept_is_claimed_too(town: Watched) -> None:
    """The till judged it before the withdrawal was seen, and keeps it after the watchtower has looked."""
    channel, tower = town.open(), town.tower()
    answer = town.show(channel, 100_000)
    held = town.held.of(channel.id)
    assert held is not None
    town.hall.done(town.channels.claim(STRANGER, [(held.config, town.sign(channel.id, 100_000))]))
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    assert (answer.verdict, tower.look()) == (Verdict.ACCEPTED, [])
    town.held.keep(held.holding(town.sign(channel.id, 300_000)))
    assert [found.owed for found in tower.look()] == [200_000]
    assert town.got() == 300_000


def test_one_lie_of_a_node_blinds_nobody_for_good(town: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    town.show(town.open(), 700_000)
    tower, far = town.tower(), Block(number=2**40, hash=bytes(32), time_s=1)
    with monkeypatch.context() as lie:
        lie.setattr(town.network, "final", lambda: far)
        with pytest.raises(Unreachable, match="tells of block"):
            tower.look()
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    tower.look()
    assert town.got() == 700_000


def test_a_node_that_lags_is_said_to(town: Watched) -> None:
    tower = town.tower()
    town.blocks(9)
    tower.look()
    town.network.lag = 5
    with pytest.raises(Unreachable, match="seen was"):
        tower.look()


def test_a_long_network_is_looked_through_step_by_step(town: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchtower, "STEP", 2)
    town.show(town.open(), 700_000)
    town.blocks(20)
    asked, withdrawing = list[int](), Channels.withdrawing

    def breaks(channels: Channels, first: int, last: int) -> list[tuple[int, str, str]]:
        asked.append(first)
        if len(asked) == 5:
            raise Unreachable("enough for today")
        return withdrawing(channels, first, last)

    with monkeypatch.context() as patch:
        patch.setattr(Channels, "withdrawing", breaks)
        with pytest.raises(Unreachable):
            town.tower().look()
    assert (asked, town.held.watched_to()) == ([0, 2, 4, 6, 8], 8)
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    town.tower().look()
    assert town.got() == 700_000


def test_what_a_former_payee_is_owed_is_watched_over_too(town: Watched) -> None:
    """The community has another payee since; what was paid to the one before is as much at risk."""
    town.show(town.open(), 700_000)
    tower = Watchtower(town.channels, town.held, BOB.id, STRANGER)
    town.hall.done(town.channels.withdraw(PAYER, town.config()))
    tower.look()
    assert town.got() == 700_000


def test_strangers_withdrawals_move_nothing(town: Watched) -> None:
    """A channel that pays somebody else, and one of ours through which nothing was ever paid."""
    town.hall.approve()
    other = town.hall.opened(salt=1, payee=STRANGER.id)
    town.open()
    for config in (other, town.config()):
        town.hall.done(town.channels.withdraw(PAYER, config))
    head = town.hall.chain.head().number
    assert town.tower().look() == []
    assert town.hall.chain.head().number == head, "no transaction was sent"
