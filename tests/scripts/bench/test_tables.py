import dataclasses

from jconv.scripts.bench.tables import block, markdown, verdicts
from jconv.tuning.machine import machine


def test_a_block_has_a_line_for_each_contestant(rows):
    lines = block(rows[0]).splitlines()
    assert lines[0] == "train: LeNet, train, batch 64"
    assert lines[1].split() == [
        "jconv",
        "30.0",
        "ms",
        "(28.5",
        "to",
        "31.5)",
        "compiled",
        "in",
        "1.5",
        "s",
    ]
    assert (
        "equinox" not in lines[4]
        and lines[4].split()[0] == "Equinox"
        and "2.00 times jconv's" in lines[4]
    )


def test_a_block_says_who_was_skipped_and_who_is_wrong(rows):
    text = block(rows[1])
    assert "memory: ResNet-20, train, batch 8, bfloat16" in text and "300 MiB" in text
    assert "PyTorch        skipped: torch is not installed" in text
    assert "warning: plain lax does not compute the same: it has 3 parameters, not 4" in text


def test_what_is_slower_is_listed_or_that_nothing_is(rows):
    (lines,) = verdicts(rows).values()
    assert lines == [
        "train: LeNet, train, batch 64: 1.50 (1.40 to 1.60) and 1.40 (1.30 to 1.50) times plain "
        "lax's"
    ]
    rows[0].judged.pop()
    assert list(verdicts(rows).values()) == [["none of the 1 cases that had enough pairs"]]
    assert list(verdicts(rows[1:]).values()) == [["not judged: no case had 21 pairs of both"]]


def test_rows_of_the_plan_have_a_list_of_their_own(rows):
    of_plan = dataclasses.replace(rows[0], suite="plan", rival="direct")
    assert list(verdicts([of_plan])) == ["rows of the plan that do not hold on this machine"]
    both = list(verdicts([*rows, of_plan]).values())
    assert [line.rpartition("times ")[2] for lines in both for line in lines] == [
        "plain lax's",
        "jconv direct's",
    ]


def test_markdown_has_the_ratios_then_every_contestant(rows):
    text = markdown(machine(), rows, "jconv bench --suite train memory")
    assert "`jconv bench --suite train memory`" in text and "## train: whole training steps" in text
    head = next(line for line in text.splitlines() if line.startswith("| case | batch | jconv"))
    row = next(line for line in text.splitlines() if line.startswith("| LeNet, train | 64"))
    assert head.count("|") == row.count("|") == 8
    assert (
        "30.0 ms" in row
        and "**0.67**" in row
        and "**2.00**" in row
        and "Equinox" in row
        and "**0.83**" in row
    )
    assert (
        "| ResNet-20, train, bfloat16 | 300 MiB; 100 MiB before | 600 MiB; 110 MiB before |" in text
    )
    assert (
        "- PyTorch (ResNet-20, train): torch is not installed" in text
        and "it has 3 parameters, not 4" in text
    )
    assert "- train: LeNet, train, batch 64: 1.50" in text


def test_on_a_card_images_a_second_and_the_share_of_its_peak_are_told(rows):
    text = markdown(
        {**machine(), "device": "NVIDIA H100 80GB HBM3"}, rows[:1], "jconv bench --suite gpu"
    )
    row = next(line for line in text.splitlines() if line.startswith("| LeNet, train | 64"))
    assert "| 2,133 | 0.0% |" in row


def test_a_machine_that_was_not_quiet_is_told(rows):
    rows[0].others, rows[1].others = 0.41, 0.04
    told = "other processes took 41% of the cores meanwhile: measure again on a quiet machine"
    assert f"warning: {told}" in block(rows[0]) and "warning: other" not in block(rows[1])
    assert f"## Disturbed\n\n- train: LeNet, train, batch 64: {told}\n" in markdown(
        machine(), rows, "jconv bench"
    )
