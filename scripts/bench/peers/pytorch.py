"""PyTorch, eager and by torch.compile: channels-last tensors, fused SGD, gradients freed between
steps, denormals flushed.

bfloat16 is autocast, as its users train: parameters and losses stay float32. It runs on a CUDA
device where there is one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import gettempdir, mkdtemp

import numpy as np
import torch
import torch._dynamo
import torch._functorch.config
import torch._inductor.config
import torch._inductor.utils
from torch import nn
from torch.nn import functional as F

from jconv.tuning.machine import cores

from ..case import MOMENTUM, RATE, Case, What, draw
from ..task import Task, Unable
from .pytorch_layers import Builder, Placed

torch.set_num_threads(cores())
torch.set_flush_denormal(True)
# TF32 on a GPU, which is what XLA's default precision is there
torch.set_float32_matmul_precision("high")
torch.backends.cudnn.benchmark = (
    True  # the fastest of cuDNN's algorithms, tried at the first call, as XLA tries them
)
CACHE = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def eager(case: Case, what: What) -> Task:
    return _task(case, what, lambda f: f)


def compiled(case: Case, what: What) -> Task:
    """What is compiled is compiled now: a cache would be measured instead. Its folder is new, below
    the one that is set.
    """
    torch._dynamo.reset()
    torch._inductor.utils.clear_caches()
    torch._inductor.config.fx_graph_cache = False
    torch._functorch.config.enable_autograd_cache = False
    above = CACHE or gettempdir()
    Path(above).mkdir(parents=True, exist_ok=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = mkdtemp(dir=above)
    return _task(case, what, torch.compile)


def _task(case: Case, what: What, compiler: Callable[[Callable], Callable]) -> Task:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    given, builder = draw(case), Builder()
    net = builder.build(case.net, case.in_shape, given.params).to(device).train()
    # channels last in memory already
    x = torch.from_numpy(given.images).movedim(-1, 1).to(device, getattr(torch, case.dtype))
    if x.ndim in LAYOUTS:
        net, x = net.to(memory_format=LAYOUTS[x.ndim]), x.contiguous(memory_format=LAYOUTS[x.ndim])
    labels = torch.from_numpy(given.labels).long().to(device)
    make = {
        "forward": _forward,
        "gradient": _gradient,
        "train": _train,
        "per-example": _per_example,
    }[what]
    run, shown = make(case, net, x, labels, compiler, builder.placed)
    return Task(_precise(run, case, device), shown, sum(p.numel() for p in net.parameters()))


def _precise(run: Callable, case: Case, device: torch.device) -> Callable:
    if case.dtype == "float32":
        return run

    def autocast():
        with torch.autocast(device.type, getattr(torch, case.dtype)):
            return run()

    return autocast


def _forward(case: Case, net: nn.Module, x, labels, compiler, placed):
    f = compiler(net)

    def run():
        with torch.no_grad():
            return f(x)

    return run, lambda y: [_last(y)]


def _gradient(case: Case, net: nn.Module, x, labels, compiler, placed: Sequence[Placed]):
    squares = compiler(lambda x: net(x).float().square().sum())
    inputs = [x.requires_grad_()] if case.images else []
    wanted = [*inputs, *(p.parameter for p in placed)]

    def run():
        value = squares(x)
        return value.detach(), torch.autograd.grad(value, wanted)

    def shown(result):
        value, gradients = result
        return (
            [_last(gradients[0]), *_ours(placed, gradients[1:])]
            if case.images
            else [_numbers(value)]
        )

    return run, shown


def _train(case: Case, net: nn.Module, x, labels, compiler, placed):
    optimizer = torch.optim.SGD(net.parameters(), RATE, MOMENTUM, fused=True)
    loss_of = compiler(lambda x, labels: F.cross_entropy(net(x).float(), labels))

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(x, labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run, lambda loss: [_numbers(loss)]


def _per_example(case: Case, net: nn.Module, x, labels, compiler, placed):
    if any(True for _ in net.buffers()):
        raise Unable("torch.func cannot update running statistics one example at a time")
    params = {name: p.detach() for name, p in net.named_parameters()}

    def loss(params, x, label):
        return F.cross_entropy(torch.func.functional_call(net, params, (x[None],)), label[None])

    f = compiler(torch.func.vmap(torch.func.grad(loss), (None, 0, 0)))
    return lambda: f(params, x, labels), lambda gradient: [
        _numbers(sum(g.square().sum() for g in gradient.values()))
    ]


def _ours(placed: Sequence[Placed], gradients: Sequence[torch.Tensor]) -> list[np.ndarray]:
    """Parameter gradients in jconv's layout and order; what a scan stacks, stacked."""
    parts = defaultdict(list)
    for p, gradient in zip(placed, gradients, strict=True):
        parts[p.path].append(_numbers(gradient).transpose(p.axes))
    whole = {
        path: np.stack(arrays) if len(arrays) > 1 else arrays[0] for path, arrays in parts.items()
    }
    return [whole[path] for path in sorted(whole)]


def _last(a: torch.Tensor) -> np.ndarray:
    """Channels last."""
    return _numbers(a.movedim(1, -1))


def _numbers(a) -> np.ndarray:
    return a.detach().double().cpu().numpy()
