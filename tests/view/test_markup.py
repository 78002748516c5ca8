from jconv.view.markup import Html, element, join


def test_text_and_attributes_are_escaped_and_elements_are_not():
    made = element("p", "a < b & c", element("b", '"d"'), title='5" <i>', class_="note")
    assert (
        made == '<p title="5&quot; &lt;i&gt;" class="note">a &lt; b &amp; c<b>&quot;d&quot;</b></p>'
    )


def test_only_void_elements_lack_an_end_tag():
    assert element("img", src="data:,") == '<img src="data:,">'
    assert element("td") == "<td></td>"


def test_join_gives_html_that_is_not_escaped_again():
    joined = join("<", element("i", 3))
    assert isinstance(joined, Html)
    assert element("p", joined) == "<p>&lt;<i>3</i></p>"


def test_formatting_html_gives_plain_text_that_is_escaped():
    assert element("p", f"{element('i')}") == "<p>&lt;i&gt;&lt;/i&gt;</p>"
