"""Graphs of named values as nets: against the same graph, run node by node."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Concat, Conv, Identity, InputError, Relu, Residual, Sequential
from jconv.weights.graph import Came, Graph, Unfit, assemble
from jconv.weights.layout import flattened, joined, reordered, restored

SHAPE = (4, 5, 3)


def conv(graph, rng, name, x, features=3):
    channels = graph.value(x, name).shape[-1]
    kernel = rng.standard_normal((1, 1, channels, features)).astype(np.float32) / 2
    params = {"kernel": Came(kernel, name, kernel.shape)}
    graph.add(name, "Conv", x, name, Conv(features, 1, bias=False), params, order=None)


def run(graph, output, x):
    """The graph, node by node."""
    values = {"x": x}
    for node in graph.nodes:
        taken = [values[name] for name in node.inputs]
        if node.join == "sum":
            values[node.output] = sum(taken[1:], taken[0])
        elif node.join == "concat":
            values[node.output] = jnp.concatenate(taken, -1)
        else:
            arrays = {leaf: jnp.asarray(came.array) for leaf, came in node.params.items()}
            values[node.output] = node.layer.apply(arrays, {}, taken[0])[0]
    return values[output]


def checked(graph, output, rng):
    found = assemble(graph, "x", output)
    x = jnp.asarray(rng.standard_normal((2, *SHAPE)), jnp.float32)
    params = jax.tree.map(
        lambda came: jnp.asarray(came.array),
        found.params,
        is_leaf=lambda leaf: isinstance(leaf, Came),
    )
    y, _ = found.net.apply(params, {}, x)
    np.testing.assert_allclose(y, run(graph, output, x), rtol=2e-5, atol=1e-5)
    return found


@pytest.fixture
def graph():
    graph = Graph("file")
    graph.begin("x", SHAPE)
    return graph


def test_a_dense_block_joins_all_that_came_before(graph, rng):
    parts = ["x"]
    for i in range(4):
        joint = parts[0]
        if len(parts) > 1:
            graph.meet(f"join{i}", "Concat", "concat", parts, joint := f"join{i}")
        conv(graph, rng, f"conv{i}", joint, 2)
        parts.append(f"conv{i}")
    graph.meet("all", "Concat", "concat", parts, "all")
    net = checked(graph, "all", rng).net
    assert net.out_shape(SHAPE) == (4, 5, 3 + 4 * 2)


def test_a_branch_that_parts_again(graph, rng):
    for name, x in (("a", "x"), ("b", "x"), ("b1", "b"), ("b2", "b"), ("c", "x")):
        conv(graph, rng, name, x)
    graph.meet("joined", "Concat", "concat", ["a", "b1", "b2", "c"], "joined")
    concat = checked(graph, "joined", rng).net["joined"]
    assert [type(layer) for _, layer in concat.children] == [Conv, Sequential, Conv]
    assert isinstance(concat["branch2"].layers[-1][1], Concat)


def test_sums_of_several_and_of_one_with_itself(graph, rng):
    for name in "abc":
        conv(graph, rng, name, "x")
    graph.meet("sum", "Sum", "sum", ["a", "x", "b", "c"], "sum")
    graph.meet("twice", "Add", "sum", ["sum", "sum"], "twice")
    graph.add("relu", "Relu", "twice", "relu", Relu())
    net = checked(graph, "relu", rng).net
    assert net["twice"] == Residual(Identity(), Identity(), Relu())


@pytest.mark.parametrize("seed", range(20))
def test_branches_within_branches(graph, seed):
    rng = np.random.default_rng(seed)
    count = iter(range(10_000))

    def grow(x, depth):
        """A random composition from the value x; the value it makes, of three channels."""
        for _ in range(rng.integers(1, 3)):
            name = f"n{next(count)}"
            if depth == 0 or rng.random() < 0.4:
                conv(graph, rng, name, x)
            else:
                ends = [grow(x, depth - 1) for _ in range(rng.integers(2, 4))]
                ends = [x if rng.random() < 0.3 else end for end in ends]
                if rng.random() < 0.5:
                    graph.meet(name, "Sum", "sum", ends, name)
                else:
                    graph.meet(f"{name}j", "Concat", "concat", ends, f"{name}j")
                    conv(graph, rng, name, f"{name}j")
            x = name
        return x

    checked(graph, grow("x", 3), rng)


def test_branches_that_cross_are_refused(graph, rng):
    for name, x in (("a", "x"), ("b", "x"), ("a1", "a"), ("b1", "b")):
        conv(graph, rng, name, x)
    graph.meet("ab", "Add", "sum", ["a1", "b"], "ab")
    graph.meet("ba", "Add", "sum", ["b1", "a"], "ba")
    graph.meet("end", "Add", "sum", ["ab", "ba"], "end")
    with pytest.raises(Unfit, match="Add 'ab' takes a1 and b: branches that parted"):
        assemble(graph, "x", "end")


def test_orders_of_flattened_images(rng):
    image = rng.standard_normal((2, 3, 4))
    there = np.moveaxis(image, -1, 0).ravel()
    order = flattened(image.shape)
    np.testing.assert_array_equal(reordered(there, order), image.ravel())
    np.testing.assert_array_equal(restored(image.ravel(), order), there)
    assert flattened((1, 1, 5)) is None
    reverse = np.arange(4)[::-1]
    turned = np.moveaxis(image[..., ::-1], -1, 0).ravel()  # the channels lie in reverse there
    np.testing.assert_array_equal(reordered(turned, flattened(image.shape, reverse)), image.ravel())
    both = joined([order, None], [24, 2])
    np.testing.assert_array_equal(
        reordered(np.concatenate([there, [7.0, 8.0]]), both), [*image.ravel(), 7, 8]
    )


def test_rows_of_different_images_are_not_added(graph, rng):
    conv(graph, rng, "a", "x", 2)
    graph.flatten("f", "Flatten", "a", "f")
    graph.values["g"] = graph.values["f"]._replace(order=None)
    graph.current["g"] = "g"
    with pytest.raises(InputError, match="flattened from images of different shapes"):
        graph.meet("s", "Add", "sum", ["f", "g"], "s")
