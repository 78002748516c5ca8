from jconv.view.compare import compared_curves


def test_each_run_has_a_colour_and_its_last_accuracy(row):
    runs = {"runs/$a$": [row(1), row(2)], "b": [row(1, test_accuracy=0.875)], "none": []}
    figure = compared_curves(runs)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["runs/$a$   test 70.00%", "b   test 87.50%", "none   no epoch"]
    loss, accuracy = figure.axes
    solid = [line for line in accuracy.lines if line.get_linestyle() == "-"]
    assert list(solid[0].get_ydata()) == [100 * row(n)["test_accuracy"] for n in (1, 2)]
    colours = [line.get_color() for line in loss.lines]
    assert colours[0] == colours[1] != colours[2] == colours[3]


def test_what_is_not_finite_is_left_out(row):
    figure = compared_curves(
        {"a": [row(1), row(2, test_loss=None), row(3, test_loss=float("inf"))]}
    )
    assert list(figure.axes[0].lines[1].get_xdata()) == [1]
