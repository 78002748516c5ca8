"""The errors of a precision policy, held against what the dtypes' own rounding allows."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from balanced_html import read

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Lambda,
    Layer,
    Sequential,
    precision_errors,
)
from jconv.check import precision
from jconv.check.precision import (
    POLICIES,
    TRUTH,
    Policy,
    PolicyError,
    PrecisionErrors,
    numbers,
)

NET = Sequential(
    conv1=Conv(4, 3), bn1=BatchNorm(), drop=Dropout(0.5), flatten=Flatten(), fc=Dense(5)
)
FLOAT32, DEFAULT, BFLOAT16 = POLICIES


@dataclass(frozen=True)
class Careless(Layer):
    """y = x, rounded to bfloat16 on the way but in float64."""

    def apply(self, params, state, x, *, train=False, key=None):
        return x if x.dtype == jnp.float64 else x.astype(jnp.bfloat16).astype(x.dtype), state


@pytest.mark.sweep(1)
@pytest.mark.parametrize("train", [True, False])
def test_errors_are_of_the_size_of_the_dtypes_rounding(train):
    found = precision_errors(NET, (7, 5, 3), train=train)
    highest, default, half = found.rows
    assert (highest.policy, default.policy, half.policy) == (FLOAT32, DEFAULT, BFLOAT16)
    for row, rounding in ((highest, 2.0**-24), (default, 2.0**-24), (half, 2.0**-9)):
        assert (
            rounding / 4 < row.logits < 30 * rounding
            and rounding / 4 < row.gradient < 100 * rounding
        ), row
    assert (
        highest.logits <= default.logits < half.logits / 100
        and highest.gradient <= default.gradient < half.gradient / 100
    )


@pytest.mark.exhaustive
def test_a_layer_that_rounds_is_found_out():
    net = Sequential(conv1=Conv(4, 3), careless=Careless(), flatten=Flatten(), fc=Dense(5))
    truth, row = precision_errors(net, (7, 5, 3), policies=(TRUTH, FLOAT32)).rows
    assert truth.logits == truth.gradient == 0
    assert row.logits > 2.0**-11 and row.gradient > 2.0**-11 and row.worst != "fc/bias"


@pytest.mark.exhaustive
def test_what_is_zero_but_for_rounding_is_no_error():
    """A bias before batch norm has no gradient; in float32 its rounding would be all of it."""
    (row,) = precision_errors(NET, (7, 5, 3), policies=(FLOAT32,)).rows
    assert row.worst != "conv1/bias" and row.gradient < 1e-5


def test_the_truth_is_float64_and_every_gradient_is_named(filled, rng):
    params, state = filled(NET.layers[0][1], (7, 5, 3))
    images, weights = rng.standard_normal((2, 7, 5, 3)), rng.standard_normal((2, 5, 3, 4))
    scores, gradient = numbers(NET.layers[0][1], TRUTH, False, params, images, state, weights)
    assert set(gradient) == {"kernel", "bias", "(input)"}
    np.testing.assert_allclose(gradient["bias"], weights.sum((0, 1, 2)), rtol=1e-13)
    assert not np.array_equal(scores[0], scores[0].astype(np.float32))


@pytest.mark.exhaustive
def test_the_table_says_what_it_is_against():
    lines = str(precision_errors(NET, (7, 5, 3), batch=3)).splitlines()
    assert lines[0] == "max|a - b| / max|b| on cpu, batch 3"
    assert [line.split("  ")[0] for line in lines[3:6]] == [
        "float32, highest",
        "float32, default",
        "bfloat16, default",
    ]
    assert lines[-1].split() == ["float64,", "highest", "the", "truth"]
    assert str(Policy("float32", "high")) == "float32, high"


@pytest.mark.exhaustive
def test_what_the_compiler_refuses_is_asked_of_the_very_batch_and_dtype(monkeypatch):
    """A convolution may compile in one dtype and not in another."""
    asked = []

    def build(run, net, in_shape, batches, *, dtype):
        asked.append((net["conv1"].precision, in_shape, batches, dtype))
        return run(net)

    monkeypatch.setattr(precision, "build_servable", build)
    precision_errors(NET, (7, 5, 3), batch=2, policies=(BFLOAT16,))
    assert asked == [
        ("highest", (7, 5, 3), [2], "float64"),
        ("default", (7, 5, 3), [2], "bfloat16"),
    ]


def test_products_that_name_no_precision_have_the_policys():
    seen = []
    net = Sequential(
        own=Lambda(lambda x: seen.append(jax.config.jax_default_matmul_precision) or x), fc=Dense(2)
    )
    precision_errors(net, (3,), batch=2)
    assert set(seen) == {None, "highest", "default"}  # None for the shapes alone


def test_a_notebook_shows_the_table():
    found = PrecisionErrors("cpu", 8, (PolicyError(FLOAT32, 1.5e-7, 2.5e-6, "a<b>/kernel"),))
    page = read(found._repr_html_())
    assert page.words == [found.title, *(cell for row in found.cells() for cell in row if cell)]
    assert "a<b>/kernel" in page.words and "2.5e-06" in page.words
    assert all(word in str(found) for word in page.words)
