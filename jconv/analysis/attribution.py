"""Which pixels a class score comes from: by its derivative, by the maps of a layer, and by covering
parts of the image.

Pure functions of a net, its parameters and an input as the net takes it. A score is what the net
gives for a class, before any softmax of the loss.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ..errors import InputError, LayerError, near
from ..geometry import Shape
from ..layer import Layer, Params, State
from ..settings import check_counts
from .recording import activations, backward

AT_ONCE = 32  # covered images in one pass


def saliency(
    net: Layer, params: Params, state: State, x: jax.Array, label: int | jax.Array
) -> jax.Array:
    """max over c of |d score[label] / d x[..., c]|: how much the score of a class changes with each
    pixel.

    Shapes: x (N, *S, C), label one class or one for each example (N,) -> (N, *S). In units of the
    score for one unit of x. Raises LayerError unless the net gives one score a class, InputError
    for a class that there is not. Source: Simonyan et al. 2013, "Deep Inside Convolutional
    Networks".
    """
    of_class = _score(net, params, state, x, label)
    by_x = jax.grad(lambda x: of_class(net.apply(params, state, x)[0]))(jnp.asarray(x))
    return jnp.abs(by_x).max(axis=-1)


def grad_cam(
    net: Layer, params: Params, state: State, x: jax.Array, label: int | jax.Array, layer: str
) -> jax.Array:
    """relu(sum over k of w[k] A[..., k]), where A are the maps of a layer and w[k] is the mean over
    positions of d score[label] / d A[..., k].

    Shapes: x (N, *S, C) -> (N, *S'), those of the layer. Raises LayerError for a layer that there
    is not, or without sizes, and as `saliency` does. Source: Selvaraju et al. 2017, "Grad-CAM".
    """
    seen = backward(net, params, state, x, _score(net, params, state, x, label))
    if layer not in seen.activations:
        raise LayerError(f"there is no layer {layer!r}; {near(layer, seen.activations)}")
    maps, gradient = seen.activations[layer], seen.gradients[layer]
    if maps.ndim < 3:
        raise LayerError(
            f"gives {maps.shape[1:]}, maps with sizes and channels were expected; take a layer "
            "before the flattening",
            layer,
        )
    positions = tuple(range(1, maps.ndim - 1))
    weights = gradient.mean(axis=positions, keepdims=True)
    return jax.nn.relu((weights * maps).sum(axis=-1))


def occlusion(
    net: Layer,
    params: Params,
    state: State,
    x: jax.Array,
    label: int,
    *,
    size: int,
    stride: int = 1,
    fill: float | np.ndarray = 0.0,
) -> jax.Array:
    """softmax(scores)[label] as a square of `size` pixels slides over the image, `stride` pixels at
    a time, and covers it with `fill`: one value, or one for each channel, such as the net is given
    for gray.

    Shapes: x (*S, C), one example -> (*S'), where S' = (S - size) / stride + 1 rounded down. Raises
    InputError for a square that is larger than the image, and as `saliency` does. Source: Zeiler
    and Fergus 2013, "Visualizing and Understanding Convolutional Networks", section 4.2.
    """
    check_counts(size=size, stride=stride)
    x = jnp.asarray(x)
    if size > min(x.shape[:-1]):
        raise InputError(f"size={size}: at most {min(x.shape[:-1])}, the image's, was expected")
    _score(net, params, state, x[None], label)
    counts = tuple((n - size) // stride + 1 for n in x.shape[:-1])
    starts = stride * np.stack(np.unravel_index(np.arange(np.prod(counts)), counts), axis=-1)
    value = jnp.broadcast_to(jnp.asarray(fill, x.dtype), x.shape[-1:])

    @jax.jit
    def probability(params, state, x, start):
        covered = jnp.where(_square(x.shape[:-1], start, size)[..., None], value, x)
        return jax.nn.softmax(net.apply(params, state, covered[None])[0][0])[label]

    each = partial(probability, params, state, x)
    return jax.lax.map(each, jnp.asarray(starts), batch_size=AT_ONCE).reshape(counts)


def last_maps(net: Layer, params: Params, state: State, x: jax.Array) -> str:
    """The path of the last layer that still gives more than one position: what Grad-CAM looks at.
    Raises LayerError where there is none.
    """
    # a plain dict would come back sorted
    ordered = lambda *arrays: OrderedDict(activations(net, *arrays))
    shapes = jax.eval_shape(ordered, params, state, x)
    found = [path for path, a in shapes.items() if a.ndim > 2 and np.prod(a.shape[1:-1]) > 1]
    if not found:
        raise LayerError("no layer of this net gives maps: there is nothing to look at")
    return found[-1]


def _score(net: Layer, params: Params, state: State, x: jax.Array, label: int | jax.Array):
    """The sum over a batch of the score of each example's class, as a function of all scores."""
    out: Shape = jax.eval_shape(lambda x: net.apply(params, state, x)[0], jnp.asarray(x)).shape
    if len(out) != 2:
        raise LayerError(
            f"the net gives {out[1:]} for an example, one score a class was expected; take it at "
            "the size of image that it was made for"
        )
    if not isinstance(label, Tracer):  # under jit, a class that there is not cannot be refused
        labels = np.asarray(label)
        if labels.min() < 0 or labels.max() >= out[1]:
            raise InputError(f"label={label}: 0 to {out[1] - 1} was expected")
    labels = jnp.broadcast_to(jnp.asarray(label, jnp.int32), out[:1])
    return lambda scores: jnp.take_along_axis(scores, labels[:, None], axis=1).sum()


def _square(sizes: Shape, start: jax.Array, size: int) -> jax.Array:
    """Which positions lie in the square that begins at `start`: booleans of shape `sizes`."""
    inside = jnp.ones((), bool)
    for axis, n in enumerate(sizes):
        position = jnp.arange(n) - start[axis]
        within = (position >= 0) & (position < size)
        inside = inside[..., None] & within.reshape((1,) * axis + (n,))
    return inside
