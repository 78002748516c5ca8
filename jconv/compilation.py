"""`jit` with the compiler options that make ConvNets fast."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, cached_property, partial, wraps
from typing import Any

import jax
from jax.core import Tracer
from jax.errors import JaxRuntimeError

from .errors import InputError
from .ops.plan import PINNED, Job
from .pinning import described, failing, is_convolution_failure

# Two cores of an AMD EPYC, jaxlib 0.10.2: by itself XLA's CPU compiler gives single convolutions to YNNPACK, 32x32x32x64 by 3x3 to 64
# in 11.0 ms against 6.6 of its own code, but matrix products and sums are faster there: 6.5 against 8.1 ms, 0.08 against 1.2.
# It copies a donated kernel that the input's gradient reads and the update overwrites, unless it analyses regions: then it puts the
# reading first. AlexNet's step 401 ms with the copies, 365 without.
OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {
        "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_REDUCE",
        "xla_cpu_copy_insertion_use_region_analysis": True,
    }
}

# What makes a program give the same bits in every run. XLA's GPU compiler then takes deterministic kernels alone and tunes nothing:
# which of two kernels is the faster depends on the moment. (Untuned, 256x56x56x128 by 3x3 depthwise takes an H100 5.7 ms instead of
# 0.20.) On a CPU sums are split by the number of threads, not by who comes first.
DETERMINISTIC: dict[str, dict[str, Any]] = {"cpu": {}, "gpu": {"xla_gpu_deterministic_ops": True}}


def jit(f: Callable, *, deterministic: bool = False, **settings: Any) -> Jitted:
    """`jax.jit(f, **settings)` with the measured compiler options of the backend.

    Options act on a whole program, so they belong to the outermost jit, such as a training step: called inside another jit, a
    gradient or a loop this is plain `jax.jit`. What the installed jaxlib does not know is left out. `compiler_options` of your own
    are added to the measured ones, and win.

    `deterministic` makes the program give the same bits in every run on a machine. It is never left out: InputError says so where
    the backend is not known to have it or its compiler does not know the option, and inside another jit, where no option acts.

    Where a compilation fails in cuDNN, each convolution of the program is compiled alone, those that fail are left to the method
    "im2col" from then on, and a warning says which.
    """
    return Jitted(f, settings, deterministic)


class Jitted:
    """What `jit` returns: a callable with the methods of what `jax.jit` returns (`lower`, `trace`, `eval_shape`, ...)."""

    def __init__(self, f: Callable, settings: dict[str, Any], deterministic: bool = False):
        self._f, self._own = f, settings.pop("compiler_options", None) or {}
        self._settings, self._deterministic = settings, deterministic
        self._plain = jax.jit(f, **settings)
        self._pinned: frozenset[Job] = frozenset()

    @cached_property
    def _outermost(self) -> Any:
        """Made at the first call: before it the user may still choose the backend."""
        return self._with_options(self._f)

    def _with_options(self, f: Callable) -> Any:
        backend = jax.default_backend()
        options = options_of(backend) | self._own | (deterministic_options(backend) if self._deterministic else {})
        return jax.jit(f, compiler_options=options, **self._settings)

    def _nested(self, *args, **kwargs):
        """Inside a jit, a gradient or a loop."""
        if self._deterministic and deterministic_options(jax.default_backend()):
            raise InputError("deterministic: has no effect inside another jit or transformation; give it to the outermost jconv.jit")
        return self._plain(*args, **kwargs)

    def __call__(self, *args, **kwargs):
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return self._nested(*args, **kwargs)
        token = PINNED.set(self._pinned)
        try:
            return self._outermost(*args, **kwargs)
        except ValueError as error:  # inside a jit or a loop, but of constants
            if "can only be passed to top-level" not in str(error):
                raise
            return self._nested(*args, **kwargs)
        except JaxRuntimeError as error:
            self._pin(error, *args, **kwargs)
            return self(*args, **kwargs)
        finally:
            PINNED.reset(token)

    def _pin(self, error: Exception, *args, **kwargs) -> None:
        """Leave the convolutions that do not compile by themselves to im2col from now on. Raises the error when it is not theirs."""
        jobs = failing(self._plain.trace(*args, **kwargs).jaxpr) if is_convolution_failure(error) else []
        if not set(jobs) - self._pinned:
            raise error
        warnings.warn(f"jconv.jit: the backend cannot compile {described(jobs)}; from here on they run as im2col", stacklevel=3)
        self._pinned |= set(jobs)
        anew = wraps(self._f)(partial(self._f))  # another function, or what was lowered before would serve
        self._outermost = self._with_options(anew)

    def __getattr__(self, name: str):
        return getattr(self._outermost, name)


@cache
def options_of(backend: str) -> dict[str, Any]:
    """The measured options of a backend that its compiler knows; each is tried once on an empty program."""
    return {name: value for name, value in OPTIONS.get(backend, {}).items() if _known(name, value)}


def deterministic_options(backend: str) -> dict[str, Any]:
    """What makes a backend's programs deterministic. Raises InputError where that is not known, or its compiler does not know it."""
    if backend not in DETERMINISTIC:
        raise InputError(f"deterministic: what makes {backend} so is not known; it is for {' and '.join(DETERMINISTIC)}: leave it out")
    for name, value in DETERMINISTIC[backend].items():
        if not _known(name, value):
            raise InputError(f"deterministic: this {backend} compiler does not know {name}; use a newer jaxlib, or leave it out")
    return DETERMINISTIC[backend]


def _known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except JaxRuntimeError:
        return False
    return True
