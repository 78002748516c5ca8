import pytest

from jconv.view.bars import Group, speed_chart, write_chart
from jconv.view.palette import LIGHT

GROUPS = [
    Group(
        "train",
        {
            "LeNet": {"jconv": 2.5, "plain lax": 1.0, "PyTorch": 3.0},
            "VGG": {"jconv": 0.5, "plain lax": 1.0},
        },
    ),
    Group("ops", {"pool": {"plain lax": 1.0, "PyTorch": 0.8, "Equinox": 1.1}}),
]


def test_bars_reach_from_the_reference_to_the_speed():
    axes = speed_chart(GROUPS, "jconv", "plain lax").axes[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(1, 1.5), (1, -0.5)]
    assert [t.get_text() for t in axes.texts] == ["2.5×", "0.5×"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["LeNet", "VGG"]
    assert axes.get_xscale() == "log"


def test_what_is_slower_than_the_reference_is_red():
    from matplotlib.colors import to_hex

    bars = speed_chart(GROUPS, "jconv", "plain lax").axes[0].patches
    assert [to_hex(bar.get_facecolor()) for bar in bars] == [LIGHT["right"], LIGHT["wrong"]]


def test_the_others_are_marks_and_named_once():
    figure = speed_chart(GROUPS, "jconv", "plain lax")
    marks = {line.get_label(): list(line.get_xdata()) for line in figure.axes[1].lines}
    assert marks["PyTorch"] == [0.8] and marks["Equinox"] == [1.1]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == "jconv" and sorted(names[1:]) == ["Equinox", "PyTorch"]


def test_a_chart_is_the_same_file_twice(tmp_path):
    for name in ("a.svg", "b.svg"):
        write_chart(speed_chart(GROUPS, "jconv", "plain lax"), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("count", [1, 60])
def test_a_chart_is_as_tall_as_its_cases(count):
    speeds = {f"case {i}": {"jconv": 2.0, "plain lax": 1.0} for i in range(count)}
    assert speed_chart([Group("ops", speeds)], "jconv", "plain lax").get_size_inches()[
        1
    ] == pytest.approx(0.24 * (count + 1.5) + 0.9)
