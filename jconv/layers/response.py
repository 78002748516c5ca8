"""Response normalisation, as the networks of AlexNet's time use it. It computes in float32 at least
and returns x's dtype.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import ops
from ..errors import unknown
from ..geometry import Shape, Window, check_settings, pointwise
from ..layer import Layer, like
from ..ops.methods import check_whole
from ..ops.normalization import LRN_CONVENTIONS, around
from ..settings import check_range


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """y_i = x_i * s_i^-beta, s_i = k + a * sum of x_j^2 over `size` neighbouring channels, or,
    `within` a channel, positions.

    Across: convention "paper" has a = alpha and k = 2, "caffe" and "torch" a = alpha/size and k =
    1. Within: a = alpha/size^rank and k = 1 whatever the convention. `k` given overrides. Shapes:
    (*S, C) -> the same. No parameters. Source: Krizhevsky et al. 2012; Caffe's LRN.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float | None = None
    convention: str = "caffe"
    within: bool = False
    method: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        check_settings("LocalResponseNorm", size=self.size)
        check_whole(self.method, "LocalResponseNorm: ")
        check_range("LocalResponseNorm", alpha=self.alpha, beta=self.beta, least=0)
        check_range("LocalResponseNorm", k=1.0 if self.k is None else self.k, above=0)
        if self.convention not in LRN_CONVENTIONS:
            raise ValueError(
                f"LocalResponseNorm: {unknown('convention', self.convention, LRN_CONVENTIONS)}"
            )
        if self.convention == "caffe" and self.size % 2 == 0 and not self.within:
            raise ValueError(
                f"LocalResponseNorm: size={self.size} is even; Caffe's has a middle: use an odd "
                'size, or convention="torch"'
            )

    def over(self, in_shape: Shape) -> Window:
        """The window a response is made of; across channels it is a position."""
        return around(in_shape[:-1], self.size) if self.within else pointwise(in_shape[:-1])

    def macs(self, in_shape: Shape) -> int:
        return 0

    def apply(self, params, state, x, *, train=False, key=None):
        s = self
        like(x)
        if s.within:
            k = 1.0 if s.k is None else s.k
            return ops.local_response_norm_within(
                x, size=s.size, alpha=s.alpha, beta=s.beta, k=k, method=s.method
            ), state
        y = ops.local_response_norm(
            x,
            size=s.size,
            alpha=s.alpha,
            beta=s.beta,
            k=s.k,
            convention=s.convention,
            method=s.method,
        )
        return y, state


@dataclass(frozen=True)
class ContrastNorm(Layer):
    """cuda-convnet's contrast normalisation: y = x * (k + alpha/size^rank * sum of d^2)^-beta, d =
    x - its local mean.

    Shapes: (*S, C) -> the same. No parameters.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    method: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        check_settings("ContrastNorm", size=self.size)
        check_whole(self.method, "ContrastNorm: ")
        check_range("ContrastNorm", alpha=self.alpha, beta=self.beta, least=0)
        check_range("ContrastNorm", k=self.k, above=0)

    def over(self, in_shape: Shape) -> Window:
        """The window a response is made of: windows of means, in a window of squares."""
        return around(in_shape[:-1], 2 * self.size - 1)

    def macs(self, in_shape: Shape) -> int:
        return 0

    def apply(self, params, state, x, *, train=False, key=None):
        like(x)
        return ops.contrast_norm(
            x, size=self.size, alpha=self.alpha, beta=self.beta, k=self.k, method=self.method
        ), state
