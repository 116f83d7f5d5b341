"""Collect the app's marked texts into its catalogs, compile them, or check that every one is translated.

python scripts/words.py update   collect texts, keep translations, compile
python scripts/words.py check    say what is missing, stale or not compiled; exit code 1 where anything is
"""

import io
import string
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "commonwatt" / "apps" / "web"
LOCALE = SOURCES / "locale"
KEYWORDS = {"say": None, "mark": None, "say_many": (1, 2)}
LANGUAGES = ("de", "es")
# Dates and names would make two people's catalogs differ where their texts do not.
HEADER = 'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def main() -> int:
    """Do what the first argument says."""
    task = sys.argv[1] if len(sys.argv) > 1 else "help"
    if task == "update":
        update()
        return 0
    if task == "check":
        faults = list(check())
        sys.stdout.write("\n".join(faults or ["every text is translated and compiled"]) + "\n")
        return 1 if faults else 0
    sys.stdout.write(str(__doc__))
    return 2


def update() -> None:
    """Bring every catalog to the texts that are marked now."""
    marked = collect()
    for language in LANGUAGES:
        catalog = _read(language)
        catalog.update(marked, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        file = io.BytesIO()
        write_po(file, catalog, width=110, no_location=True, omit_header=True, sort_output=True)
        _path(language, "po").write_bytes(HEADER.format(language=language).encode() + b"\n" + file.getvalue())
        _path(language, "mo").write_bytes(_compiled(_read(language)))


def check() -> Iterator[str]:
    """Tell all that is wrong with the catalogs."""
    marked = {_key(message): message for message in collect() if message.id}
    for language in LANGUAGES:
        catalog = _read(language)
        here = {_key(message): message for message in catalog if message.id}
        for text in sorted(marked.keys() - here.keys()):
            yield f"{language}: not collected: {text!r}"
        for text in sorted(here.keys() - marked.keys()):
            yield f"{language}: nobody says it any more: {text!r}"
        for text in sorted(marked.keys() & here.keys()):
            yield from _faults(language, here[text])
        if _path(language, "mo").read_bytes() != _compiled(catalog):
            yield f"{language}: the compiled catalog is not made of this one"


def collect() -> Catalog:
    """Return all marked texts of the app."""
    found = Catalog(charset="utf-8")
    for name, _, text, comments, context in extract_from_dir(SOURCES, [("**.py", "python")], keywords=KEYWORDS):
        found.add(text, auto_comments=comments, context=context, locations=[(name, 0)])
    return found


def _faults(language: str, message: Message) -> Iterator[str]:
    ids = message.id if isinstance(message.id, tuple) else (message.id,)
    texts = message.string if isinstance(message.string, tuple) else (message.string,)
    if not all(texts) or message.fuzzy:
        yield f"{language}: not translated: {ids[0]!r}"
        return
    wanted = set().union(*(_names(text) for text in ids))
    for text in texts:
        if not _names(text) <= wanted or (len(ids) == 1 and _names(text) != wanted):
            yield f"{language}: other {{names}} than in the original: {text!r}"


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _key(message: Message) -> str:
    return message.id[0] if isinstance(message.id, tuple) else message.id


def _compiled(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    catalog.creation_date = catalog.revision_date = LONG_AGO
    write_mo(file, catalog)
    return file.getvalue()


def _read(language: str) -> Catalog:
    if not _path(language, "po").exists():
        return Catalog(locale=language, project="commonwatt", fuzzy=False, charset="utf-8")
    with _path(language, "po").open("rb") as file:
        return read_po(file, locale=language)


def _path(language: str, kind: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / f"commonwatt.{kind}"


if __name__ == "__main__":
    sys.exit(main())
