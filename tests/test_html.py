from balanced_html import read

from jconv.html import SHORT, Node, outline, paragraph, piece, table

HEAD, ROWS = ("name", "size", ""), [("a<b>", "7", "ok"), ('"&', "11", "")]


def test_a_table_names_its_columns_its_rows_and_itself():
    page = read(
        piece(table(HEAD, ROWS, ("total", "18", ""), caption="x<y>", right={1}, marked={1}))
    )
    assert page.words == ["x<y>", "name", "size", "a<b>", "7", "ok", '"&', "11", "total", "18"]
    assert [th.get("scope") for th in page.named("th")] == ["col", "col", "row", "row", "row"]
    flush = [attributes.get("class") for tag, attributes in page.elements if tag in ("td", "th")]
    assert flush == [None, "right", None] * 4
    assert [tr.get("class") for tr in page.named("tr")] == [None, None, "marked", None]
    assert len(page.named("tfoot")) == 1
    assert page.named("div")[1] == {
        "class": "jconv-scroll",
        "role": "region",
        "tabindex": "0",  # what is wider than the page is scrolled by keyboard as well
        "aria-label": "x<y>",
    }


def test_of_a_long_table_the_rest_is_counted():
    rows = [(str(i), "", "") for i in range(1205)]
    page = read(table(HEAD, rows, caption="long", most=3))
    assert page.words == [
        "long",
        "name",
        "size",
        "0",
        "1",
        "2",
        "… 1,202 more rows; print() shows all",
    ]
    assert page.named("td")[-1]["colspan"] == "3" and not page.named("tfoot")
    assert "more" not in table(HEAD, rows[:3], caption="short", most=3)


def test_a_tree_says_what_each_row_is_and_how_many_are_inside():
    leaf = Node("a<b>", "Conv", "3, 5")
    page = read(
        outline(Node("", "Sequential", children=(leaf, Node("r", "Residual", "", (leaf,)))))
    )
    row = ["a<b>", "Conv", "3, 5"]
    assert page.words == ["Sequential", "2 inside", *row, "r", "Residual", "1 inside", *row]
    assert page.named("details") == [{"open": None}] * 2


def test_of_a_large_tree_the_rows_nearest_to_the_root_are_shown():
    block = Node("block", "Residual", children=(Node("conv", "Conv"),) * 5)
    stage = Node("stage", "Sequential", children=(block,) * 10)
    net = Node("", "Net", children=(stage,) * 3)
    assert net.size == 1 + 3 * (1 + 10 * 6) > SHORT
    page = read(outline(net, most=1 + 3 + 30 + 7))
    rows = [word for word in page.words if word in ("Net", "Sequential", "Residual", "Conv")]
    assert len(rows) == 1 + 3 + 30 + 7
    # of the second block three, and all five of each later one
    assert [word for word in page.words if "…" in word] == ["… 3 more", *["… 5 inside"] * 28]
    assert sum("open" in details for details in page.named("details")) == 1 + 3
    # a long row of layers
    page = read(outline(Node("", "Net", children=(stage,) * 9), most=5))
    assert [word for word in page.words if "…" in word] == [*["… 60 inside"] * 4, "… 305 more"]


def test_a_piece_holds_its_style_and_its_text_escaped():
    page = read(piece(paragraph("<script>"), ""))
    assert page.words == ["<script>"] and [tag for tag, _ in page.elements] == ["div", "style", "p"]
