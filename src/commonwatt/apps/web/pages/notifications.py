"""Notifications: where somebody is told, of what, in which hours not, and what they were told; sent by the browser."""

from typing import Any

import msgspec
from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.web.assets import address
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.notice_words import NAMES, title_of
from commonwatt.apps.web.parts.forms import field, form, scripted
from commonwatt.apps.web.words import LANGUAGES, Words, mark
from commonwatt.flows.notices.records import URGENT, Topic
from commonwatt.identity.seat import Role


def build(context: Context) -> None:
    """Put channels, ways to add one, wishes and what was told on the page."""
    scripted()
    ui.add_head_html(f'<script src="{address("notices.js")}" defer></script>')
    words = context.words
    context.put(
        tag(
            "div",
            _channels(words),
            _browser(words),
            _mail(words),
            _program(words),
            _home(words),
            _wishes(words),
            _told(words),
            tag("cw-offered"),
            class_="columns",
        )
    )


def _channels(words: Words) -> Markup:
    says = {
        "web_push": words.say("Browser"),
        "mail": words.say("Mail"),
        "webhook": words.say("Program"),
        "home_assistant": words.say("Home Assistant"),
        "sent": words.say("last told"),
        "never": words.say("nothing was sent yet"),
        "wrong": words.say("could not be told"),
    }
    deeds = tag(
        "div",
        _small("channel-try", words.say("Send me one now"), data_said=words.say("One is on its way.")),
        _small("channel-off", words.say("Remove")),
        class_="deeds",
        data_channel=True,
    )
    row = tag("div", tag("span", data_title=True, class_="title"), tag("span", data_note=True, class_="small"), deeds,
              class_="row")  # fmt: skip
    return _list(words.say("Where I am told"), "channels", row, says)


def _told(words: Words) -> Markup:
    says = {topic.value: title_of(words, topic) for topic in Topic} | {
        "waiting": words.say("on its way"),
        "sent": words.say("told"),
        "given_up": words.say("given up"),
    }
    row = tag("div", tag("span", data_title=True, class_="title"), tag("span", data_note=True, class_="small"),
              tag("form", hidden=True), class_="row")  # fmt: skip
    return _list(words.say("What I was told"), "told", row, says)


def _list(title: str, name: str, row: Markup, says: dict[str, str]) -> Markup:
    told = msgspec.json.encode(says).decode()
    return tag(
        "div",
        tag("h2", title),
        tag("cw-list", tag("template", row), data_list=name, data_says=told),
        class_="card pile",
    )


def _small(deed: str, label: str, **more: Any) -> Markup:
    press = tag("button", label, type="submit", class_="quiet")
    wrong = tag("p", role="alert", class_="small bad")
    return tag("form", press, wrong, data_entrance=deed, **more)


def _browser(words: Words) -> Markup:
    why = words.say("Notices come up on this device, also while the app is closed. Only this browser can read them.")
    no = words.say("This browser takes no notices. On a phone, put the app on the home screen first.")
    denied = words.say("This browser was told not to show notices of this site.")
    return form(
        "push-on",
        words.say("Tell me in this browser"),
        tag("h2", words.say("In this browser")),
        tag("p", why, data_no=no, data_denied=denied),
        field(words.say("What to call it"), "label", "off", needed=False),
    )


def _mail(words: Words) -> Markup:
    why = words.say("A letter for each notice. What changes your access is written to all your addresses in any case.")
    return form(
        "mail-on",
        words.say("Write to me"),
        tag("h2", words.say("By mail")),
        tag("p", why),
        field(words.say("Address"), "address", "email", kind="email"),
    )


def _program(words: Words) -> Markup:
    why = words.say("A signed message to an address of a program of yours, over HTTPS; Home Assistant takes such, too.")
    once = words.say("The secret by which it knows that it was us. It is shown only this once.")
    secret = tag("div", tag("p", once, class_="small"), tag("code", data_secret=True, class_="wrapped"), data_once=True,
                 hidden=True, class_="pile")  # fmt: skip
    return form(
        "webhook-on",
        words.say("Tell this program"),
        tag("h2", words.say("A program")),
        tag("p", why),
        field(words.say("Where it listens"), "url", "url", kind="url"),
        field(words.say("What to call it"), "label", "off", needed=False),
        secret,
    )


def _home(words: Words) -> Markup:
    why = words.say("An event that its automations can act on. Everybody who is in your Home Assistant sees it.")
    return form(
        "home-on",
        words.say("Tell my Home Assistant"),
        tag("h2", words.say("Home Assistant")),
        tag("p", why),
        field(words.say("Home"), "account", "off"),
    )


def _wishes(words: Words) -> Markup:
    languages = (tag("option", name, value=code, selected=code == words.language) for code, name in LANGUAGES.items())
    spoken = _labelled(words.say("Language"), tag("select", *languages, name="language"))
    quiet = tag(
        "label",
        tag("input", type="checkbox", role="switch", name="quiet"),
        tag("span", words.say("Quiet hours")),
        class_="switch",
    )
    hours = tag(
        "div",
        _labelled(
            words.say("From"), tag("input", type="time", name="begin", value="22:00", required=True, class_="text")
        ),
        _labelled(
            words.say("Until"), tag("input", type="time", name="end", value="07:00", required=True, class_="text")
        ),
        class_="deeds",
    )
    topics = tag(
        "table",
        tag(
            "thead",
            tag(
                "tr",
                tag("th", words.say("Of what"), scope="col"),
                tag("th", words.say("Tell me"), scope="col"),
                tag("th", words.say("In quiet hours, too"), scope="col"),
            ),
        ),
        tag("tbody", *(_topic(words, topic) for topic in NAMES)),
        class_="topics",
    )
    return form(
        "wishes",
        words.say("Keep"),
        tag("h2", words.say("How I want to be told")),
        tag("cw-wishes", data_kept=words.say("Your wishes are kept.")),
        spoken,
        field(words.say("Time zone of my quiet hours"), "zone", "off"),
        quiet,
        hours,
        topics,
    )


def _topic(words: Words, topic: Topic) -> Markup:
    name = words.say(NAMES[topic])
    hear = tag("input", type="checkbox", name="hear", value=topic.value, checked=True,
               aria_label=words.say("{topic}: tell me", topic=name))  # fmt: skip
    through = tag("input", type="checkbox", name="through", value=topic.value, checked=topic in URGENT,
                  aria_label=words.say("{topic}: in quiet hours, too", topic=name))  # fmt: skip
    return tag("tr", tag("th", name, scope="row"), tag("td", hear), tag("td", through))


def _labelled(label: str, control: Markup) -> Markup:
    return tag("label", join(tag("span", label, class_="small"), control), class_="pile")


PAGE = Page(
    path="/notifications",
    title=mark("Notifications"),
    icon="bell",
    roles=frozenset(Role) - {Role.PUBLIC},
    build=build,
)
