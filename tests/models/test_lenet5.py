"""LeNet-5 as it was published in 1998; its modern form is in test_models.py."""

import jax
import numpy as np

from jconv import Conv, Subsampling, summary, walk
from jconv.geometry import volume
from jconv.models import build


def rows():
    return {row.path: row for row in summary(*build("lenet5_original")).rows}


def test_trained_parameters():
    params = {path: row.params for path, row in rows().items() if row.params}
    assert params == {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert sum(params.values()) == 60_000


def test_the_840_codes_of_the_output_are_fixed():
    net, in_shape = build("lenet5_original")
    params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    assert "output" not in params
    assert {name: leaf.shape for name, leaf in state["output"].items()} == {"codes": (84, 10)}


def test_connections():
    """Every sum counts its terms and its bias; a subsampling adds four values, and the output
    compares 84 a class.
    """
    connections = {}
    for v in walk(*build("lenet5_original")):
        terms = (
            4 * volume(v.out_shape)
            if isinstance(v.layer, Subsampling)
            else v.layer.macs(v.in_shape)
        )
        if terms:
            connections[v.path] = terms + (volume(v.out_shape) if v.path != "output" else 0)
    assert connections == {
        "c1": 122_304,
        "s2": 5_880,
        "c3": 151_600,
        "s4": 2_000,
        "c5": 48_120,
        "f6": 10_164,
        "output": 840,
    }
    assert sum(connections.values()) == 340_908


def test_shapes():
    shapes = {path: row.out_shape for path, row in rows().items()}
    assert {name: shapes[name] for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output")} == {
        "c1": (28, 28, 6),
        "s2": (14, 14, 6),
        "c3": (10, 10, 16),
        "s4": (5, 5, 16),
        "c5": (1, 1, 120),
        "f6": (84,),
        "output": (10,),
    }


def test_the_table_of_c3():
    (c3,) = (v.layer for v in walk(*build("lenet5_original")) if v.path == "c3")
    assert isinstance(c3, Conv)
    assert c3.mask is not None
    reads = np.zeros((6, 16), int)
    for k, row in enumerate(c3.mask):
        reads[list(row), k] = 1
    assert reads.sum(axis=0).tolist() == [3] * 6 + [4] * 9 + [6]
    assert reads.sum(axis=1).tolist() == [10] * 6  # each map of S2 is read as often
    assert c3.mask[4] == (0, 4, 5)
    assert c3.mask[13] == (1, 2, 4, 5)
