import pytest

from jconv import Concat, Conv, Dense, Flatten, Residual, Sequential, ShapeError
from jconv.view.diagram import LONGEST, TALLEST, THINNEST, block_of, diagram, scale_of
from jconv.view.graph import boxes_of

NET = Sequential(
    conv=Conv(8, 3),
    cat=Concat(a=Conv(4, 1), b=Conv(12, 3, padding=1)),
    block=Residual(Conv(16, 3, padding=1)),
    flat=Flatten(),
    fc=Dense(7),
)


def test_blocks_are_to_one_scale():
    boxes = boxes_of(NET, (18, 10, 2))
    scale = scale_of(boxes)
    blocks = {box.path: block_of(box, scale) for box in boxes}
    assert blocks["input"].height == pytest.approx(TALLEST)
    assert blocks["conv"].height == pytest.approx(TALLEST * 16 / 18)
    flat = 16 * 8 * 16  # the most channels of all
    assert blocks["flat"].length == pytest.approx(LONGEST)
    assert blocks["flat"].height == pytest.approx(TALLEST / 18)
    assert blocks["cat"].length == max(THINNEST, LONGEST * 16 / flat)


def test_every_layer_is_named_with_its_shape():
    texts = [text.get_text() for text in diagram(NET, (18, 10, 2)).axes[0].texts]
    for words in ("conv", "cat/a", "cat/b", "block", "sum", "fc", "18×10×2", "16×8×16", "7"):
        assert words in texts, words


def test_a_diagram_grows_by_rows():
    wide, tall = (diagram(NET, (18, 10, 2), across).get_size_inches() for across in (99, 3))
    assert tall[0] < wide[0] and tall[1] > wide[1]


def test_names_are_drawn_as_they_are():
    net = Sequential(**{"$x_1$": Conv(2, 3)})
    assert not any(text.get_parse_math() for text in diagram(net, (8, 8, 1)).axes[0].texts)


def test_signals_and_vectors_have_diagrams():
    assert diagram(Sequential(conv=Conv(4, 3), flat=Flatten()), (16, 2)).axes
    assert diagram(Sequential(fc=Dense(3)), (5,)).axes


def test_an_input_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="conv"):
        diagram(NET, (2, 2, 1))
