"""`jit` with the compiler options that make ConvNets fast."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, cached_property, partial, wraps
from typing import Any

import jax
from jax.core import Tracer
from jax.errors import JaxRuntimeError

from .ops.plan import PINNED, Job
from .pinning import described, failing, is_convolution_failure

# Two cores of an AMD EPYC, jaxlib 0.10.2: by itself XLA's CPU compiler gives single convolutions to YNNPACK, 32x32x32x64 by 3x3 to 64
# in 11.0 ms against 6.6 of its own code, but matrix products and sums are faster there: 6.5 against 8.1 ms, 0.08 against 1.2.
OPTIONS = {"cpu": {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_REDUCE"}}


def jit(f: Callable, **settings: Any) -> Jitted:
    """`jax.jit(f, **settings)` with the measured compiler options of the backend.

    Options act on a whole program, so they belong to the outermost jit, such as a training step: called inside another jit, a
    gradient or a loop this is plain `jax.jit`. What the installed jaxlib does not know is left out. `compiler_options` of your own
    are added to the measured ones, and win.

    Where a compilation fails in cuDNN, each convolution of the program is compiled alone, those that fail are left to the method
    "im2col" from then on, and a warning says which.
    """
    return Jitted(f, settings)


class Jitted:
    """What `jit` returns: a callable with the methods of what `jax.jit` returns (`lower`, `trace`, `eval_shape`, ...)."""

    def __init__(self, f: Callable, settings: dict[str, Any]):
        self._f, self._own = f, settings.pop("compiler_options", None) or {}
        self._settings = settings
        self._plain = jax.jit(f, **settings)
        self._pinned: frozenset[Job] = frozenset()

    @cached_property
    def _outermost(self) -> Any:
        """Made at the first call: before it the user may still choose the backend."""
        return self._with_options(self._f)

    def _with_options(self, f: Callable) -> Any:
        return jax.jit(f, compiler_options=options_of(jax.default_backend()) | self._own, **self._settings)

    def __call__(self, *args, **kwargs):
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return self._plain(*args, **kwargs)
        token = PINNED.set(self._pinned)
        try:
            return self._outermost(*args, **kwargs)
        except ValueError as error:  # inside a jit or a loop, but of constants
            if "can only be passed to top-level" not in str(error):
                raise
            return self._plain(*args, **kwargs)
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
def options_of(backend: str) -> dict[str, str]:
    """The measured options of a backend that its compiler knows; each is tried once on an empty program."""
    return {name: value for name, value in OPTIONS.get(backend, {}).items() if _known(name, value)}


def _known(name: str, value: str) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except JaxRuntimeError:
        return False
    return True
