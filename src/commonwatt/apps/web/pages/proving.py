"""A proof as people see it: where it leads, who signed that, a button that checks it here, and files to keep."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from markupsafe import Markup

from commonwatt.apps.api.problems import problem_of
from commonwatt.apps.views.proof import Checked, Proof
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.states import error_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.model import SLOT_SECONDS, Commodity, InvalidValue

_QUALITIES = {
    "measured": mark("measured"),
    "estimated": mark("estimated"),
    "substituted": mark("put in by hand"),
}
_LOOK_S = 0.4
_MOST_DIGITS = 15
_TSL_DIGITS = 6


async def put(
    context: Context, src: str, make: Callable[[], Awaitable[Proof]], files: Sequence[tuple[str, str]]
) -> None:
    """Put a proof on the page once it is made; meanwhile, how far that is.

    Args:
        context: The page.
        src: Where the browser gets the same proof.
        make: Makes it.
        files: What else can be downloaded: names and addresses.
    """
    words = context.words
    piece = context.put(_making(words, None), early=False)

    async def show() -> None:
        task = asyncio.ensure_future(make())
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
                if context.client.is_deleted:
                    return
                piece.set_content(_making(words, context.community.prover.progress))
            markup = _shown(words, src, task.result(), files)
        except Exception as error:
            markup = error_state(words, problem_of(error))
        finally:
            task.cancel()
        if not context.client.is_deleted:
            piece.set_content(markup)

    showing = asyncio.get_running_loop().create_task(show())
    context.client.on_delete(lambda: showing.cancel() and None)


def facts(title: str, rows: Sequence[tuple[str, str]]) -> Markup:
    """Return what something is, name by name."""
    inside = join(*(join(tag("dt", name), tag("dd", value)) for name, value in rows))
    return tag("div", tag("h2", title), tag("dl", inside, class_="facts"), class_="card pile")


def amount(words: Words, commodity: Commodity, units: int) -> str:
    """Write an amount of the books in the unit in which people read it."""
    if commodity is Commodity.ERGON:
        return words.money(units)
    return words.energy(units) if commodity is not Commodity.TSL else words.tokens(units, "TSL", _TSL_DIGITS)


def quality(words: Words, name: str) -> str:
    """Write how a reading came to be."""
    return words.say(_QUALITIES.get(name, name))


def whole(text: str) -> int:
    """Return a whole number out of an address.

    Raises:
        InvalidValue: It is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidValue(f"a number in an address is a whole one, was {text[:40]!r}")
    return int(text)


def _making(words: Words, progress: float | None) -> Markup:
    said = words.say("The proof is being made: the whole log is run again.")
    bar = tag("progress", value=progress, max=1, aria_label=said)
    return tag("div", tag("p", said), bar, class_="card pile", role="status")


def _shown(words: Words, src: str, proof: Proof, files: Sequence[tuple[str, str]]) -> Markup:
    return tag(
        "div",
        _verify(words, src, proof),
        tag("div", _signed(words, proof.checkpoint), _files(words, src, files), class_="pile"),
        class_="columns",
    )


def _verify(words: Words, src: str, proof: Proof) -> Markup:
    said = {
        "note": words.say("The checkpoint can be read"),
        "record": words.say("What is shown is the leaf's content, salt and all"),
        "path": words.say("The leaf leads to the log root of the checkpoint"),
        "item": words.say("The reading is in its gateway's signed batch"),
        "entry": words.say("The entry leads to the root of all entries"),
        "sections": words.say("That root leads to the state root of the checkpoint"),
        "signature": words.say("The community's key signed the checkpoint"),
        "witness": words.say("A witness cosigned it"),
        "working": words.say("Checking"),
        "verified": words.say("All of it holds, by this browser's own count."),
        "failed": words.say("This does not hold."),
        "open": words.say("The hashes hold. This browser cannot check Ed25519 signatures."),
        "holds": words.say("holds"),
        "broken": words.say("does not hold"),
        "unknown": words.say("not there yet"),
    }
    inside = tag(
        "cw-verify",
        tag("button", words.say("Verify in this browser"), type="button", class_="first", data_verify=True),
        tag("p", data_verdict=True, role="status"),
        tag("ol"),
        tag("pre", data_says=True),
        data_src=src,
        data_words=msgspec.json.encode(said).decode(),
    )
    limits = [
        words.say("Not checked here: the secp256k1 signature of the request itself, and that the rules were kept."),
        words.say("commonwatt verify and every witness check these. The key came from this server: compare it."),
    ]
    if proof.leaf is not None and proof.leaf.record is None:
        limits.append(words.say("The content is its owner's: here only its hash is proven."))
    if proof.checkpoint.rehearsal:
        limits.append(words.say("This is a rehearsal: its keys follow from a published seed and prove nothing."))
    notes = (tag("p", limit, class_="small") for limit in limits)
    return tag("div", inside, *notes, class_="card pile")


def _signed(words: Words, told: Checked) -> Markup:
    behind = sum(one.cosigned_s is not None for one in told.witnesses)
    rows: list[tuple[str, str | Markup]] = [
        (words.say("Settled until"), words.instant(told.slot_s + SLOT_SECONDS)),
        (words.say("Requests under it"), words.number(told.size)),
        (words.say("Log root"), tag("code", told.log_root)),
        (words.say("State root"), tag("code", told.state_root)),
        (words.say("Signed with"), tag("code", told.vkey)),
        (
            words.say("Witnesses"),
            words.say("{n} of {all} cosigned", n=behind, all=len(told.witnesses))
            if told.witnesses
            else words.say("nobody is registered to watch this log"),
        ),
    ]
    for one in told.witnesses:
        name = one.vkey.partition("+")[0]
        rows.append((name, words.instant(one.cosigned_s) if one.cosigned_s else words.say("not yet")))
    rows.append((words.say("Final"), words.say("yes") if told.final else words.say("not yet")))
    inside = join(*(join(tag("dt", name), tag("dd", value)) for name, value in rows))
    return tag("div", tag("h2", words.say("Checkpoint")), tag("dl", inside, class_="facts"), class_="card pile")


def _files(words: Words, src: str, files: Sequence[tuple[str, str]]) -> Markup:
    all_files = [
        *files,
        (words.say("This proof"), src),
        (words.say("The community's keys"), "/api/v1/proofs/trust"),
    ]
    links = (tag("li", tag("a", name, href=href, class_="button", download=True)) for name, href in all_files)
    how = tag("p", tag("code", "commonwatt verify evidence.json --trust community.pub"))
    return tag("div", tag("h2", words.say("To keep")), tag("ul", *links, class_="ways"), how, class_="card pile")
