from jconv import Conv, Dense, Flatten, Relu, Sequential, summary
from jconv.view.costs import cost_picture, costs, size

NET = Sequential(conv=Conv(4, 3), relu=Relu(), flat=Flatten(), fc=Dense(5))
INPUT = (8, 6, 2)


def test_layers_that_cost_something_are_bars_in_order():
    assert costs(summary(NET, INPUT)) == [
        ("image", 0, 96),
        ("conv", 3 * 3 * 2 * 4 + 4, 6 * 4 * 4),
        ("fc", 96 * 5 + 5, 5),
    ]


def test_beyond_the_most_the_cheapest_are_put_together_and_nothing_is_lost():
    net = Sequential(*[Conv(2 + i % 3, 1) for i in range(9)])
    table = summary(net, INPUT)
    found = costs(table, most=4)
    assert len(found) == 4 and found[-1].name == "7 more layers"
    every = [cost.values for cost in costs(table)]
    assert min(cost.values for cost in found[:-1]) >= sorted(every)[-3], "not the largest"
    assert sum(cost.params for cost in found) == table.totals.params
    assert sum(cost.values for cost in found) == table.totals.values


def test_the_picture_says_the_totals():
    figure = cost_picture(NET, INPUT)
    assert f"{summary(NET, INPUT).totals.params:,} parameters" in figure.get_suptitle()
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars == [0, 76, 485]


def test_sizes_in_words():
    assert [size(n) for n in (10, 300, 2**19)] == ["40 B", "1.2 KiB", "2.0 MiB"]
