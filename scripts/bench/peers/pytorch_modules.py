"""What torch.nn has no module for: residual blocks, branches, functions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class Function(nn.Module):
    def __init__(self, f: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


class Added(nn.Module):
    """A residual block."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, then: nn.Module):
        super().__init__()
        self.body, self.shortcut, self.then = body, shortcut, then

    def forward(self, x):
        y = self.body(x)
        y += self.shortcut(x)
        return self.then(y)


class Joined(nn.Module):
    """Branches side by side."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)
