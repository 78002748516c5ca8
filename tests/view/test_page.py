from html.parser import HTMLParser

from jconv.view.markup import element
from jconv.view.page import page, section


class Balance(HTMLParser):
    """Fails on an end tag that closes nothing, or another element than the last opened."""

    open: list[str]

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_is_one_balanced_document_that_names_nothing_outside():
    text = page("a <b>", section("c & d", "read <it>", element("p", "e")))
    parser = Balance()
    parser.open = []
    parser.feed(text)
    assert parser.open == []
    assert (
        "<title>a &lt;b&gt;</title>" in text and "c &amp; d" in text and "read &lt;it&gt;" in text
    )
    assert not [word for word in ("http", "url(", "@import", "<script", "<link") if word in text]


def test_a_page_follows_the_readers_system():
    assert "@media (prefers-color-scheme: dark)" in page("a") and "width=device-width" in page("a")


def test_a_section_that_is_not_wide_shares_its_row():
    assert 'class="half"' in section("a", "b", wide=False) and 'class="wide"' in section("a", "b")
