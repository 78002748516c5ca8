"""`jit` with the compiler options that make ConvNets fast."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property, partial, update_wrapper
from types import MethodType
from typing import Any, overload

import jax
from jax.core import Tracer
from jax.errors import JaxRuntimeError

from .errors import InputError
from .ops.refused import described, is_convolution_failure, refused
from .ops.sharding import IN_ONE_ORDER, on_several_devices

# Two cores of an AMD EPYC, jaxlib 0.10.2: by itself XLA's CPU compiler gives single convolutions to
# YNNPACK, 32x32x32x64 by 3x3 to 64 in 11.0 ms against 6.6 of its own code, but matrix products and
# sums are faster there: 6.5 against 8.1 ms, 0.08 against 1.2. It copies a donated kernel that the
# input's gradient reads and the update overwrites, unless it analyses regions: then it puts the
# reading first. AlexNet's step 401 ms with the copies, 365 without.
OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {
        "xla_cpu_experimental_ynn_fusion_type": ",".join(
            f"LIBRARY_FUSION_TYPE_{kind}" for kind in ("DOT", "REDUCE")
        ),
        "xla_cpu_copy_insertion_use_region_analysis": True,
    }
}

# What makes a program give the same bits in every run. XLA's GPU compiler then takes deterministic
# kernels alone and tunes nothing: which of two kernels is the faster depends on the moment.
# (Untuned, 256x56x56x128 by 3x3 depthwise takes an H100 5.7 ms instead of 0.20.) On a CPU sums are
# split by the number of threads, not by who comes first.
DETERMINISTIC: dict[str, dict[str, Any]] = {"cpu": {}, "gpu": {"xla_gpu_deterministic_ops": True}}


@overload
def jit(f: Callable, /, *, deterministic: bool = False, **settings: Any) -> Jitted: ...
@overload
def jit(*, deterministic: bool = False, **settings: Any) -> Callable[[Callable], Jitted]: ...
def jit(
    f: Callable | None = None, /, *, deterministic: bool = False, **settings: Any
) -> Jitted | Callable[[Callable], Jitted]:
    """`jax.jit(f, **settings)` with the measured compiler options of the backend; a decorator of
    functions and methods, like it.

    Options act on a whole program, so they belong to the outermost jit, such as a training step:
    called inside another jit, a gradient or a loop this is plain `jax.jit`. What the installed
    jaxlib does not know is left out. `compiler_options` of your own are added to the measured ones,
    and win.

    `deterministic` makes the program give the same bits in every run on a machine. It is never left
    out: InputError says so where the backend is not known to have it or its compiler does not know
    the option, and inside another jit, where no option acts.

    Where a call's compilation fails for a convolution, what the compiler said is followed by which
    one that is. `jconv.servable` is the edit of a network that leaves it to the method "im2col".
    """
    if f is None:
        return partial(jit, deterministic=deterministic, **settings)
    return Jitted(f, settings, deterministic)


class Jitted:
    """What `jit` returns: a callable with the methods of what `jax.jit` returns."""

    __wrapped__: Callable

    def __init__(self, f: Callable, settings: dict[str, Any], deterministic: bool = False):
        # without f's attributes, which would be this object's where f is of this class
        update_wrapper(self, f, updated=())
        self._own, self._deterministic = settings.get("compiler_options") or {}, deterministic
        self._settings = {
            name: value for name, value in settings.items() if name != "compiler_options"
        }
        self._plain = jax.jit(f, **self._settings)

    @cached_property
    def _outermost(self) -> Any:
        """Made at the first call: before it the user may still choose the backend."""
        return self._with_options(OPTIONS)

    @cached_property
    def _over_devices(self) -> Any:
        """The same for arrays that are spread over several."""
        return self._with_options(OPTIONS, IN_ONE_ORDER)

    def _with_options(self, *tables: dict[str, dict[str, Any]]) -> Any:
        backend = self._settings.get("backend") or jax.default_backend()
        options = {
            name: value
            for table in tables
            for name, value in known_options(table.get(backend, {})).items()
        }
        options |= self._own | (deterministic_options(backend) if self._deterministic else {})
        return jax.jit(self.__wrapped__, compiler_options=options, **self._settings)

    def _program(self, leaves: list[Any]) -> Any:
        return self._over_devices if on_several_devices(leaves) else self._outermost

    def __call__(self, *args, **kwargs):
        leaves = jax.tree.leaves((args, kwargs))
        if any(isinstance(leaf, Tracer) for leaf in leaves):
            return self._nested(*args, **kwargs)
        try:
            return self._program(leaves)(*args, **kwargs)
        except ValueError as error:  # inside a jit or a loop, but of constants
            if "can only be passed to top-level" not in str(error):
                raise
            return self._nested(*args, **kwargs)
        except JaxRuntimeError as error:
            if not is_convolution_failure(error) or not (
                found := refused(self.trace(*args, **kwargs).jaxpr)
            ):
                raise
            raise JaxRuntimeError(f"{error}\n{advice(found)}") from error

    def __repr__(self) -> str:
        return f"<jconv.jit of {self.__wrapped__!r}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A method, where it is looked up on an instance."""
        return self if instance is None else MethodType(self, instance)

    def _nested(self, *args, **kwargs):
        """Inside a jit, a gradient or a loop."""
        if self._deterministic and deterministic_options(jax.default_backend()):
            raise InputError(
                "deterministic: has no effect inside another jit or transformation; give it to the "
                "outermost jconv.jit"
            )
        return self._plain(*args, **kwargs)

    def lower(self, *args, **kwargs) -> jax.stages.Lowered:
        """The program for these arguments, or for shapes, ready to compile under the options."""
        return self._program(jax.tree.leaves((args, kwargs))).lower(*args, **kwargs)

    def trace(self, *args, **kwargs) -> jax.stages.Traced:
        """The jaxpr for these arguments, or for shapes, ready to lower."""
        return self._program(jax.tree.leaves((args, kwargs))).trace(*args, **kwargs)

    def eval_shape(self, *args, **kwargs) -> Any:
        """The shapes and dtypes of the result."""
        return self._plain.eval_shape(*args, **kwargs)

    def clear_cache(self) -> None:
        """Forget what was traced and compiled."""
        jitted: Any  # jax's types do not tell of the method, nor of the next
        for jitted in (self._plain, self._outermost, self._over_devices):
            jitted.clear_cache()

    def _cache_size(self) -> int:
        """How many programs were compiled, by the name that jax has for it."""
        return self._outermost._cache_size() + self._over_devices._cache_size()


def advice(equations: list[Any]) -> str:
    """What to do about convolutions that do not compile."""
    edit = "leave the layers that have it to im2col by net = jconv.servable(net, in_shape, batch)"
    return (
        f"jconv.jit: the compiler refuses {described(equations)}; {edit}, or call ops.conv with "
        'method="im2col"'
    )


def options_of(backend: str) -> dict[str, Any]:
    """The measured options of a backend that its compiler knows."""
    return known_options(OPTIONS.get(backend, {}))


def known_options(options: dict[str, Any]) -> dict[str, Any]:
    """Those that the installed compiler knows; each is tried once on an empty program."""
    return {name: value for name, value in options.items() if _known(name, value)}


def deterministic_options(backend: str) -> dict[str, Any]:
    """What makes a backend's programs deterministic. Raises InputError where that is not known, or
    its compiler does not know it.
    """
    if backend not in DETERMINISTIC:
        raise InputError(
            f"deterministic: what makes {backend} so is not known; it is for "
            f"{' and '.join(DETERMINISTIC)}: leave it out"
        )
    for name, value in DETERMINISTIC[backend].items():
        if not _known(name, value):
            raise InputError(
                f"deterministic: this {backend} compiler does not know {name}; use a newer jaxlib, "
                "or leave it out"
            )
    return DETERMINISTIC[backend]


@cache
def _known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except JaxRuntimeError:
        return False
    return True
