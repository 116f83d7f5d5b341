from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from commonwatt.apps.web.markup import join, tag


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(), st.text())
def test_whatever_somebody_typed_stays_text(value: str, inside: str) -> None:
    seen = _Seen()
    seen.feed(str(tag("p", inside, tag("b", inside), title=value)))
    seen.close()
    assert seen.tags == ["p", "b"]


def test_a_name_that_looks_like_a_script_is_shown_as_it_was_typed() -> None:
    assert tag("p", "<script>alert(1)</script>") == "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"
    assert tag("p", title='" onclick="x') == '<p title="&#34; onclick=&#34;x"></p>'


def test_attributes_are_named_as_html_names_them() -> None:
    built = tag("label", for_="car", aria_label="Car", hidden=True, title=None, lang=False, data_x=1.23456)
    assert built == '<label for="car" aria-label="Car" hidden data-x="1.23"></label>'
    assert tag("input", name="ready") == '<input name="ready"/>'


def test_pieces_are_joined_and_only_markup_is_markup() -> None:
    assert join("a & b", Markup("<br/>")) == "a &amp; b<br/>"
