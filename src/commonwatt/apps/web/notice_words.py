"""Notices in words: a title and a sentence in somebody's language, the same on every channel."""

from collections.abc import Callable

from commonwatt.apps.web.words import Words, mark
from commonwatt.flows.entrance.records import Notice
from commonwatt.flows.notices.records import Told, Topic

NAMES: dict[Topic, str] = {
    Topic.DECIDE: mark("A plan waits for my yes or no"),
    Topic.DEMAND: mark("DEMAND is called"),
    Topic.SILENT: mark("A device fell silent"),
    Topic.DOUBTED: mark("A device is not believed or set aside"),
    Topic.BILL: mark("A bill is ready"),
    Topic.MONEY_LOW: mark("My balance is low"),
    Topic.MONEY_IN: mark("Money came in"),
    Topic.UNDELIVERED: mark("Something agreed was not delivered"),
    Topic.SIGNED_IN: mark("Somebody signed in as me"),
    Topic.ACCESS: mark("My access was changed"),
    Topic.RECOVERY: mark("A recovery of my access"),
}
"""What can be chosen, as people read it."""
PAGES: dict[Topic, str] = {
    Topic.DECIDE: "/schedule",
    Topic.DEMAND: "/",
    Topic.SILENT: "/devices",
    Topic.DOUBTED: "/devices",
    Topic.BILL: "/wallet",
    Topic.MONEY_LOW: "/wallet",
    Topic.MONEY_IN: "/wallet",
    Topic.UNDELIVERED: "/wallet",
    Topic.SIGNED_IN: "/me",
    Topic.ACCESS: "/me",
    Topic.RECOVERY: "/me",
    Topic.TRIAL: "/notifications",
}
"""Where more is shown."""
VETO = "/veto"
"""Where a letter's link leads to say no to a recovery."""
_CHANGES = {
    "token_made": mark("A token for a program was made."),
    "channel_added": mark("A place where you are told was added."),
    "credential_added": mark("A way in was set up."),
    "credential_removed": mark("A way in was taken away."),
    "role_changed": mark("Your roles or addresses were changed."),
    "guardians_changed": mark("Who may agree to a recovery was changed."),
    "recovery_begun": mark("A recovery of your access was begun. If you did not ask for it, say no within a week."),
    "recovery_agreed": mark("Somebody agreed to the recovery of your access."),
    "recovery_vetoed": mark("The recovery of your access was ended by a no."),
    "recovered": mark("Your access was recovered."),
}


def title_of(words: Words, topic: Topic) -> str:
    """Return what a notice is called: in a few words, and nothing of what it says."""
    if topic is Topic.TRIAL:
        return words.say("A notice to try it")
    return words.say(_TITLES[topic])


def text_of(words: Words, told: Told) -> str:
    """Return what a notice says, in a sentence or two."""
    return _TEXTS[told.topic](words, _Facts(told))


def letter_of(words: Words, notice: Notice, origin: str) -> tuple[str, str]:
    """Return subject and text of a letter of the entrance, with the way to say no where there is one.

    Args:
        words: Of whom it is for.
        notice: What the entrance wrote.
        origin: Where people reach the site.
    """
    known = _CHANGES.get(notice.what)
    # A recovery's letter says the same in everybody's language; others hold what was changed, in English.
    told = [words.say(known) if known and notice.what.startswith("recovery") else notice.text]
    more = origin + PAGES[Topic.ACCESS]
    told.append(words.say("More: {href}", href=more))
    if notice.link:
        # Behind the `#`, so that no server and no proxy ever sees it.
        no = f"{origin}{VETO}#{notice.link}"
        told.append(words.say("To say no, without signing in: {href}", href=no))
    return words.say("Your access"), "\n\n".join(told) + "\n"


_TITLES: dict[Topic, str] = {
    Topic.DECIDE: mark("A plan waits for your word"),
    Topic.DEMAND: mark("DEMAND is called"),
    Topic.SILENT: mark("A device fell silent"),
    Topic.DOUBTED: mark("A device is not believed"),
    Topic.BILL: mark("Your bill is ready"),
    Topic.MONEY_LOW: mark("Your balance is low"),
    Topic.MONEY_IN: mark("Money came in"),
    Topic.UNDELIVERED: mark("Not all was delivered"),
    Topic.SIGNED_IN: mark("A new sign-in"),
    Topic.ACCESS: mark("Your access was changed"),
    Topic.RECOVERY: mark("A recovery of your access"),
}


class _Facts:
    """Facts of a notice by name; what one of an older version lacks reads as nothing."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def text(self, name: str) -> str:
        return str(self._told.facts.get(name, ""))

    def whole(self, name: str) -> int:
        found = self._told.facts.get(name, 0)
        return found if isinstance(found, int) else 0


def _decide(words: Words, facts: _Facts) -> str:
    by, asset = words.instant(facts.whole("deadline_s")), facts.text("asset")
    return words.say("A plan for {asset} waits for your yes or no until {by}. No answer is a no.", asset=asset, by=by)


def _demand(words: Words, facts: _Facts) -> str:
    span = words.between(facts.whole("start_s"), facts.whole("end_s"))
    return words.say("The operator calls DEMAND for {span}: storage gives what it can.", span=span)


def _silent(words: Words, facts: _Facts) -> str:
    last, asset = words.instant(facts.whole("last_slot_s")), facts.text("asset")
    return words.say("{asset} told nothing since {last}. Is it on, and does its gateway have a network?", asset=asset,
                     last=last)  # fmt: skip


def _doubted(words: Words, facts: _Facts) -> str:
    if facts.text("why") == "suspended":
        return words.say("{asset} may not be scheduled: its inspection failed or was taken back.",
                         asset=facts.text("asset"))  # fmt: skip
    return words.say("Readings of {asset} were set aside: they could not be believed.", asset=facts.text("asset"))


def _bill(words: Words, facts: _Facts) -> str:
    return words.say("The bill of {month} is ready.", month=words.month(facts.text("month")))


def _low(words: Words, facts: _Facts) -> str:
    balance = words.money(facts.whole("balance_micro"))
    return words.say("Your balance is {balance}. Pay in, so that your meter stays on.", balance=balance)


def _paid(words: Words, facts: _Facts) -> str:
    return words.say("{amount} came in and is booked.", amount=words.money(facts.whole("amount_micro")))


def _lacked(words: Words, facts: _Facts) -> str:
    when, owed = words.instant(facts.whole("slot_s")), words.exactly(facts.whole("owed_micro"))
    return words.say("What was agreed for {when} was not all delivered; it cost {owed}.", when=when, owed=owed)


def _signed_in(words: Words, facts: _Facts) -> str:
    device, address = facts.text("device") or "?", facts.text("address") or "?"
    return words.say("Somebody signed in as you from {address} with {device}. If it was not you, end that session.",
                     address=address, device=device)  # fmt: skip


def _changed(words: Words, facts: _Facts) -> str:
    return words.say(_CHANGES.get(facts.text("what"), _CHANGES["role_changed"]))


def _trial(words: Words, facts: _Facts) -> str:
    return words.say("Notices reach you here.")


_TEXTS: dict[Topic, Callable[[Words, _Facts], str]] = {
    Topic.DECIDE: _decide,
    Topic.DEMAND: _demand,
    Topic.SILENT: _silent,
    Topic.DOUBTED: _doubted,
    Topic.BILL: _bill,
    Topic.MONEY_LOW: _low,
    Topic.MONEY_IN: _paid,
    Topic.UNDELIVERED: _lacked,
    Topic.SIGNED_IN: _signed_in,
    Topic.ACCESS: _changed,
    Topic.RECOVERY: _changed,
    Topic.TRIAL: _trial,
}
