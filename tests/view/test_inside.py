import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, Dense, Flatten, MaxPool, Relu, Sequential
from jconv.view.inside import MOST_COLUMNS, MOST_MAPS, drawn, inside
from jconv.view.report import write_report
from jconv.view.subject import Subject
from jconv.view.templates import render

NAMES = ("<b>", "bee", "cow", "dog", "elk")
INPUT = (11, 7, 1)


def subject(net, rng) -> Subject:
    image = rng.random(INPUT).astype(np.float32)
    return Subject(net, INPUT, *net.init(jax.random.key(0), INPUT), image, jnp.asarray(image)[None])


@pytest.fixture
def small(rng):
    return subject(
        Sequential(conv=Conv(8, 3), relu=Relu(), pool=MaxPool(2), flat=Flatten(), fc=Dense(5)), rng
    )


def test_each_layer_is_a_column_that_says_what_is_left_out(small):
    found = inside(small, NAMES)
    assert [(c.name, c.size, len(c.pictures), c.more) for c in found.columns] == [
        ("conv", "9×5×8", MOST_MAPS, "2 more"),
        ("relu", "9×5×8", MOST_MAPS, "2 more"),
        ("pool", "4×2×8", MOST_MAPS, "2 more"),
        ("fc", "5", 1, ""),
    ]
    scores = small.net.apply(small.params, small.state, small.x)[0][0]
    assert f"taken for {NAMES[int(scores.argmax())]}." in found.hint


def test_a_long_net_shows_some_of_its_layers_and_says_so(rng):
    net = Sequential(*[Conv(2, 3, padding=1) for _ in range(20)], Flatten(), Dense(5))
    found = inside(subject(net, rng), NAMES)
    assert len(found.columns) == MOST_COLUMNS and "16 of 21 layers are shown." in found.hint
    assert (found.columns[0].name, found.columns[-1].name) == ("conv1", "dense1")


def test_the_report_has_it(run, small, tmp_path):
    write_report(tmp_path / "report.html", **run, subject=small)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.index("Inside the network") < text.index('aria-label="the network as a diagram')
    assert 'aria-label="parameters and activations of each layer"' in text
    assert not [word for word in ("http", "<script", "NaN") if word in text]


def test_names_are_escaped(small):
    text = render("inside.html", inside=inside(small, ["<b>"] * 5))
    assert "taken for &lt;b&gt;." in text and "<b>." not in text


def test_drawings_are_parts_of_a_page(small):
    assert all(svg.startswith('<svg class="chart" role="img"') for svg in drawn(small))
