"""Layers whose definition is PyTorch's, against PyTorch, where it is installed: outputs and
gradients in the input and the parameters.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Conv,
    GroupNorm,
    InstanceNorm,
    LpPool,
    MaxPool,
    PixelShuffle,
    PRelu,
    RMSNorm,
    Softplus,
    Upsample,
    with_method,
)

torch = pytest.importorskip("torch")
nn = torch.nn
IMAGE, SERIES, VOLUME = (7, 5, 8), (11, 4), (4, 5, 3, 8)


def filled(module):
    """A module with random parameters, which are zeros and ones otherwise."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.empty_like(p).uniform_(0.5, 1.5))
    return module


def linear_interpolation(**settings):
    return lambda x: nn.functional.interpolate(
        x, mode={3: "linear", 4: "bilinear", 5: "trilinear"}[x.ndim], **settings
    )


CASES = [
    (
        Conv(4, 3, padding=2, padding_mode="reflect"),
        lambda: nn.Conv2d(8, 4, 3, padding=2, padding_mode="reflect"),
        IMAGE,
    ),
    (
        Conv(4, 3, 2, padding=(1, 3), padding_mode="replicate"),
        lambda: nn.Conv2d(8, 4, 3, 2, (1, 3), padding_mode="replicate"),
        IMAGE,
    ),
    (
        Conv(4, 3, padding=4, dilation=2, padding_mode="circular"),
        lambda: nn.Conv1d(4, 4, 3, 1, 4, 2, padding_mode="circular"),
        SERIES,
    ),
    (
        Conv(4, 2, padding=1, groups=2, padding_mode="replicate"),
        lambda: nn.Conv3d(8, 4, 2, padding=1, groups=2, padding_mode="replicate"),
        VOLUME,
    ),
    (MaxPool(2, 1, dilation=2), lambda: nn.MaxPool2d(2, 1, dilation=2), IMAGE),
    (MaxPool(3, 2, padding=1, dilation=(2, 1)), lambda: nn.MaxPool2d(3, 2, 1, (2, 1)), IMAGE),
    (
        MaxPool(3, 2, padding=1, dilation=2, rounding="ceil"),
        lambda: nn.MaxPool1d(3, 2, 1, 2, ceil_mode=True),
        SERIES,
    ),
    (MaxPool(2, 1, dilation=(1, 2, 2)), lambda: nn.MaxPool3d(2, 1, dilation=(1, 2, 2)), VOLUME),
    (AvgPool(3, 2, padding=1), lambda: nn.AvgPool2d(3, 2, 1), IMAGE),
    (LpPool(3, 2, p=4.0), lambda: nn.LPPool2d(4.0, 3, 2), IMAGE),
    (AdaptiveMaxPool(3), lambda: nn.AdaptiveMaxPool2d(3), IMAGE),
    (AdaptiveMaxPool((2, 5, 3)), lambda: nn.AdaptiveMaxPool3d((2, 5, 3)), VOLUME),
    (AdaptiveMaxPool(4), lambda: nn.AdaptiveMaxPool1d(4), SERIES),
    (AdaptiveMaxPool((9, 2)), lambda: nn.AdaptiveMaxPool2d((9, 2)), IMAGE),
    (AdaptiveAvgPool((9, 2)), lambda: nn.AdaptiveAvgPool2d((9, 2)), IMAGE),
    (Upsample(2), lambda: nn.Upsample(scale_factor=2), IMAGE),
    (Upsample(sizes=(10, 3)), lambda: nn.Upsample(size=(10, 3)), IMAGE),
    (
        Upsample((2, 3), mode="bilinear"),
        lambda: linear_interpolation(scale_factor=(2.0, 3.0)),
        IMAGE,
    ),
    (Upsample(sizes=(9, 4), mode="bilinear"), lambda: linear_interpolation(size=(9, 4)), IMAGE),
    (
        Upsample(sizes=(9, 1), mode="bilinear", align_corners=True),
        lambda: linear_interpolation(size=(9, 1), align_corners=True),
        IMAGE,
    ),
    (Upsample(3, mode="bilinear"), lambda: linear_interpolation(scale_factor=3.0), SERIES),
    (Upsample(2, mode="bilinear"), lambda: linear_interpolation(scale_factor=2.0), VOLUME),
    (PixelShuffle(2), lambda: nn.PixelShuffle(2), IMAGE),
    (PRelu(), lambda: nn.PReLU(8), IMAGE),
    (PRelu(shared=True), lambda: nn.PReLU(), IMAGE),
    (Softplus(2.5), lambda: nn.Softplus(2.5, threshold=1e9), IMAGE),
    (InstanceNorm(), lambda: nn.InstanceNorm2d(8, affine=True), IMAGE),
    (InstanceNorm(eps=0.1, scale=False, bias=False), lambda: nn.InstanceNorm1d(4, eps=0.1), SERIES),
    (GroupNorm(2), lambda: nn.GroupNorm(2, 8), IMAGE),
]
each = pytest.mark.parametrize(
    ("layer", "module", "in_shape"), CASES, ids=[f"{layer!r:.70}" for layer, *_ in CASES]
)
NAMES = {"scale": "weight", "slope": "weight", "kernel": "weight", "bias": "bias"}


def to_torch(a):
    """Channels last to channels first."""
    return torch.tensor(np.moveaxis(np.asarray(a), -1, 1), requires_grad=True)


def from_torch(name, a):
    """A parameter of PyTorch's as ours: a kernel (K, C, *F) is (*F, C, K)."""
    a = a.detach().numpy()
    return a.transpose(*range(2, a.ndim), 1, 0) if name == "kernel" else a


@pytest.mark.sweep(8)
@each
@pytest.mark.parametrize("method", ["auto", "lax", "im2col"])
def test_numbers_and_gradients(layer, module, in_shape, method, rng, close):
    theirs = module()
    if isinstance(theirs, nn.Module):
        filled(theirs)
    layer = with_method(layer, method)
    x = rng.standard_normal((3, *in_shape)).astype(np.float32)
    params = {
        name: from_torch(name, getattr(theirs, NAMES[name])) for name in layer.parameters(in_shape)
    }

    run = lambda params, x: layer.apply(params, {}, x)[0]
    y, pullback = jax.vjp(run, jax.tree.map(jnp.asarray, params), jnp.asarray(x))
    there = to_torch(x)
    expected = theirs(there)
    close(y, np.moveaxis(expected.detach().numpy(), 1, -1), 2e-6)

    slope = rng.standard_normal(y.shape).astype(np.float32)
    d_params, dx = pullback(jnp.asarray(slope))
    expected.backward(to_torch(slope).detach())
    close(dx, np.moveaxis(there.grad.numpy(), 1, -1), 2e-5)
    for name, d in d_params.items():
        close(d, from_torch(name, getattr(theirs, NAMES[name]).grad), 2e-5)


def test_rms_norm_is_that_over_the_last_axis(rng, close):
    x = rng.standard_normal((3, 5, 8)).astype(np.float32)
    scale = rng.uniform(0.5, 1.5, 8).astype(np.float32)
    y, _ = RMSNorm(eps=0.1).apply({"scale": jnp.asarray(scale)}, {}, x)
    close(y, nn.functional.rms_norm(torch.tensor(x), (8,), torch.tensor(scale), 0.1).numpy(), 2e-6)


def test_unpooling_by_switches(rng, close):
    from jconv import Identity, MaxUnpool

    x = rng.standard_normal((3, 7, 6, 4)).astype(np.float32)
    pooled, index = nn.functional.max_pool2d(
        torch.tensor(np.moveaxis(x, -1, 1)), 2, return_indices=True
    )
    expected = nn.functional.max_unpool2d(pooled, index, 2, output_size=(7, 6)).numpy()
    y, _ = MaxUnpool(Identity()).apply({}, {}, x)
    close(y, np.moveaxis(expected, 1, -1), 0)
