from jconv.train.ledger import LedgerRow, add_row

ROW = LedgerRow(
    "nin", 0.9119, 0.9, "Lin et al. | 2013", "cifar10", "a machine", 1234.5, "jconv reproduce nin"
)


def test_a_row_says_what_was_found_and_what_was_published():
    assert str(ROW) == (
        "| nin | 91.19% | 90.00%: Lin et al. \\| 2013 | cifar10 | a machine | 1,234 | "
        "`jconv reproduce nin` |"
    )
    assert "| none: README.md |" in str(ROW._replace(published=None, source="README.md"))


def test_rows_are_added_to_a_table_that_the_first_begins(tmp_path):
    path = tmp_path / "ledger.md"
    path.write_text("# Ledger\n\nWords.\n")
    for name in ("nin", "digits"):
        add_row(path, ROW._replace(recipe=name))
    lines = path.read_text().splitlines()
    assert lines[:3] == ["# Ledger", "", "Words."] and lines[4].startswith("| recipe | accuracy |")
    assert [line.split(" | ")[0] for line in lines[6:]] == ["| nin", "| digits"]
    add_row(tmp_path / "new.md", ROW)
    assert (tmp_path / "new.md").read_text().startswith("| recipe |")
