"""Chain: what of the community's log stands where nobody can bend it, by which contracts, and who stakes for that."""

from collections.abc import Callable

from markupsafe import Markup

from commonwatt.apps.views import onchain as views
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.icons import drawn
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.flows.anchoring import gas_per_member
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import SLOT_SECONDS

TOPICS = ("chain", "checkpoint", "register")
_SHOWN = 10
_NONE = "\N{EN DASH}"
_TSL_DIGITS = 6
_STAGES = {
    "nothing in the log is final yet": mark("nothing in the log is final yet"),
    "too few witnesses have signed, or too little of their stake": mark(
        "too few witnesses have signed, or too little of their stake"
    ),
    "sent, in no block yet": mark("sent, in no block yet"),
    "in a block, not final": mark("in a block, not final"),
    "final": mark("final"),
    "the chain is not reached": mark("the chain is not reached"),
}
_CONTRACTS = {
    "Timelock": mark("Roles are announced here before they are given"),
    "Tsl": mark("The right to store, as a token"),
    "Checkpoints": mark("Checkpoints, and the stake behind them"),
    "Ergon": mark("Money, as a token"),
    "Watt": mark("Stored energy, as a token"),
    "Vault": mark("Holds what the ledger owes, and pays it out by proof"),
    "DeviceRegistry": mark("Devices, their keys and owners"),
    "Certificates": mark("Certificates of origin"),
    "Channel": mark("Payment channels"),
}
_PLACES = ((60, "audit"), (180, "proof"), (300, "check"))


def build(context: Context) -> None:
    """Put the chain before whoever looks."""
    _put(context, lambda: _standing(context))
    context.put(tag("h2", context.say("The last checkpoints")))
    _put(context, lambda: _checkpoints(context))
    context.put(tag("h2", context.say("At stake")))
    _put(context, lambda: _stake(context))
    context.put(tag("h2", context.say("Contracts")))
    _put(context, lambda: _contracts(context))


def put_last(context: Context) -> None:
    """Put on a page in which transaction the last checkpoint stands on the chain, where the community has one."""
    if not views.chain(context.community, context.seat).kind:
        return
    context.put(tag("h2", context.say("On the chain")))
    _put(context, lambda: _last(context))


def _last(context: Context) -> Markup:
    words, told = context.words, views.chain(context.community, context.seat)
    if not told.anchored:
        why = words.say("One is taken there in each settlement period, for all members together.")
        return empty_state(words, words.say("Nothing is anchored yet"), why)
    last = told.anchored[0]
    rows: list[tuple[str, str | Markup]] = [
        (words.say("Requests under it"), words.number(last.size)),
        (words.say("State root"), code(last.state_root)),
        (words.say("Transaction"), code(f"0x{last.tx}")),
        (words.say("Block"), words.number(last.block)),
        (words.say("Contract"), code(told.contracts["Checkpoints"])),
        (words.say("Chain number"), str(told.chain_id)),
    ]
    inside = join(*(join(tag("dt", name), tag("dd", value)) for name, value in rows))
    return tag("div", tag("dl", inside, class_="facts"), class_="card pile")


def stage(words: Words, told: str) -> str:
    """Say how far a checkpoint has come; what a contract said stays as it said it."""
    return words.say(_STAGES[told]) if told in _STAGES else told


def code(text: str) -> Markup:
    """Return an address or a hash, which may break anywhere."""
    return tag("code", text)


def _put(context: Context, draw: Callable[[], Markup]) -> None:
    piece = context.put(draw())
    context.redraw(piece, draw, TOPICS)


def _standing(context: Context) -> Markup:
    words, told = context.words, views.chain(context.community, context.seat)
    if not told.kind:
        why = words.say("Its checkpoints are signed and watched all the same, see Proof.")
        return empty_state(words, words.say("This community has no chain"), why)
    parts = []
    if told.trouble:
        note = words.say("The chain is not kept now: {trouble}. The log goes on.", trouble=told.trouble)
        parts.append(tag("p", note, class_="card error", role="status"))
    if told.head is None or told.final is None:
        why = words.say("It takes some seconds; this page shows it then.")
        parts.append(empty_state(words, words.say("The chain is being opened"), why))
        return tag("div", *parts, class_="pile")
    behind = words.say("of {all} in the log, {at}", all=words.number(told.log_size), at=words.instant(told.as_of_s))
    gas = _NONE if told.gas_per_member is None else words.number(told.gas_per_member)
    once = words.say("one checkpoint for all, {gas} gas", gas=words.number(told.gas)) if told.gas else _NONE
    shown = [
        Figure(label=words.say("Requests on the chain"), value=words.number(told.final_size), note=behind),
        Figure(
            label=words.say("Head of the chain"),
            value=words.number(told.head.number),
            note=words.say("final up to {block}, {at}", block=words.number(told.final.number), at=_at(words, told)),
        ),
        Figure(label=words.say("Gas for each member"), value=gas, note=once),
    ]
    return tag("div", *parts, _picture(words, told), figures(shown), _facts(words, told), class_="pile")


def _at(words: Words, told: views.ChainView) -> str:
    return words.instant(told.head.time_s) if told.head is not None else _NONE


def _facts(words: Words, told: views.ChainView) -> Markup:
    kind = words.say("inside of this app") if told.kind == "embedded" else words.say("a network")
    rows: list[tuple[str, str | Markup]] = [
        (words.say("Where it runs"), kind),
        (words.say("Chain number"), str(told.chain_id)),
        (words.say("The last final checkpoint is"), stage(words, told.stage)),
        (
            words.say("The Vault"),
            words.say("knows that it is the log's") if told.bound else words.say("waits to be named"),
        ),
    ]
    places = [tag("li", row(words.say("Sends for the community"), "", note=code(told.operator)))]
    if told.rpc:
        places.append(tag("li", row(words.say("For wallets on this machine"), "", note=code(told.rpc))))
    inside = join(*(join(tag("dt", name), tag("dd", value)) for name, value in rows))
    note = Markup("")
    if told.own_word:
        alone = words.say("No witness is registered: the operator signs for the chain alone.")
        note = tag("p", alone, class_="small")
    return tag("div", tag("dl", inside, class_="facts"), tag("ul", *places, class_="listing"), note, class_="card pile")


def _picture(words: Words, told: views.ChainView) -> Markup:
    """Draw the way from the log to the chain, and say it as a sentence."""
    last = told.anchored[0] if told.anchored else None
    under = (
        (words.number(told.log_size), words.say("Log")),
        (words.number(last.size) if last else _NONE, words.say("Checkpoint")),
        (words.number(told.head.number) if told.head else _NONE, words.say("Chain")),
    )
    wires = join(*(tag("path", d=f"M{x + 34} 40L{x + 86} 40", class_="wire") for x, _ in _PLACES[:2]))
    nodes = join(*(_node(x, glyph, value, name) for (x, glyph), (value, name) in zip(_PLACES, under, strict=True)))
    said = words.say("Nothing is anchored yet.")
    if last is not None:
        said = words.say(
            "The first {size} requests of the log stand on the chain, in block {block}: settled until {at}.",
            size=words.number(last.size),
            block=words.number(last.block),
            at=words.instant(last.slot_s + SLOT_SECONDS),
        )
    svg = tag("svg", wires, nodes, viewBox="0 0 360 118", role="img", aria_labelledby="chain-said")
    sentence = tag("figcaption", said, id="chain-said", class_="small")
    return tag("div", tag("figure", svg, sentence), class_="flow card")


def _node(x: int, glyph: str, value: str, name: str) -> Markup:
    shape = tag("g", tag("path", d=drawn(glyph)), transform=f"translate({x - 12} 20)", class_="glyph")
    number = tag("text", value, x=x, y=60, class_="value", text_anchor="middle")
    under = tag("text", name, x=x, y=92, class_="name", text_anchor="middle")
    return tag("g", tag("circle", cx=x, cy=40, r=33), shape, number, under, class_="node")


def _checkpoints(context: Context) -> Markup:
    words, told = context.words, views.chain(context.community, context.seat)
    if not told.anchored:
        why = words.say("One is taken there in each settlement period, for all members together.")
        return empty_state(words, words.say("Nothing is anchored yet"), why)
    rows = [
        tag(
            "li",
            row(
                words.say("Block {block}", block=words.number(one.block)),
                words.say("{n} requests", n=words.number(one.size)),
                note=join(
                    words.say("settled until {at}", at=words.instant(one.slot_s + SLOT_SECONDS)),
                    " · ",
                    _shared(words, one.gas, told.members),
                    " · ",
                    code(f"0x{one.tx}"),
                ),
            ),
        )
        for one in told.anchored[:_SHOWN]
    ]
    return tag("div", tag("ul", *rows, class_="listing"), class_="card")


def _shared(words: Words, gas: int, members: int) -> str:
    if not members:
        return words.say("{gas} gas", gas=words.number(gas))
    each = words.number(gas_per_member(gas, members))
    return words.say("{gas} gas, {each} for each of today's members", gas=words.number(gas), each=each)


def _stake(context: Context) -> Markup:
    words = context.words
    if views.chain(context.community, context.seat).head is None:
        return empty_state(words, words.say("Nothing is at stake yet"), words.say("It shows once the chain is open."))
    told = views.stake(context.community, context.seat)
    rows = [
        tag(
            "li",
            row(
                one.name or words.say("The operator"),
                words.tokens(one.stake_micro, "TSL", _TSL_DIGITS),
                note=join(_bonded(words, one.free_s, one.stake_micro), " · ", code(with_checksum(one.witness))),
            ),
        )
        for one in told.witnesses
    ]
    pool = words.say(
        "{bonded} count; signers are rewarded out of {pool}.",
        bonded=words.tokens(told.bonded_micro, "TSL", _TSL_DIGITS),
        pool=words.tokens(told.pool_micro, "TSL", _TSL_DIGITS),
    )
    why = words.say("Whoever signs two histories loses the whole stake.")
    waits = [tag("p", words.say("Announced, not in force yet: {role}", role=one)) for one in told.waiting_roles]
    note = tag("p", f"{pool} {why}", class_="small")
    return tag("div", tag("ul", *rows, class_="listing"), note, *waits, class_="card pile")


def _bonded(words: Words, free_s: int, stake_micro: int) -> str:
    if free_s:
        return words.say("free on {when}", when=words.instant(free_s))
    return words.say("bonded") if stake_micro else words.say("not bonded yet")


def _contracts(context: Context) -> Markup:
    words, told = context.words, views.chain(context.community, context.seat)
    if not told.contracts:
        why = words.say("They are deployed when the chain is opened first.")
        return empty_state(words, words.say("No contracts yet"), why)
    rows = [
        tag("li", row(name, "", note=join(words.say(_CONTRACTS[name]) if name in _CONTRACTS else "", " ", code(place))))
        for name, place in told.contracts.items()
    ]
    return tag("div", tag("ul", *rows, class_="listing"), class_="card")


PAGE = Page(
    path="/chain",
    title=mark("Chain"),
    icon="proof",
    roles=frozenset({Role.MEMBER, Role.OPERATOR, Role.AUDITOR}),
    build=build,
)
