from jconv.analysis.text import aligned


def test_columns_are_aligned_and_ruled():
    text = aligned(("name", "n"), [("a", "1"), ("long one", "23")], ("sum", "24"), right={1})
    assert text.splitlines() == [
        "name       n",
        "------------",
        "a          1",
        "long one  23",
        "------------",
        "sum       24",
    ]


def test_an_empty_last_column_leaves_no_spaces():
    assert aligned(("a", ""), [("b", "note")], ("c", ""), right=()).splitlines() == [
        "a",
        "-------",
        "b  note",
        "-------",
        "c",
    ]
