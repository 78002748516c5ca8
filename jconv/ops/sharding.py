"""Arrays that are spread over devices, as far as their types tell.

A mesh has three kinds of axes. Over *automatic* ones the compiler spreads what it likes, and types
say nothing. Over *explicit* ones, those of `jax.make_mesh`, an array's type says which of its axes
is spread, and every operation must say it of its results. Over *manual* ones, inside
`jax.shard_map`, a program is one device's, and types say along which axes devices hold different
numbers.

Our primitives meet them so: operands are made to vary along the same manual axes before they are
bound, which gives a gradient its sum over devices; a result has the manual axes of its operands,
and the explicit axes that the primitive names; and the function that computes it is compiled with
the explicit axes made automatic, so that it can be any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
from jax import lax
from jax.core import ShapedArray
from jax.sharding import AxisType, ManualAxisType, NamedSharding, PartitionSpec

from ..geometry import Shape, volume

# Compiler options, by backend, of a program on several devices. XLA's CPU scheduler starts at once
# what does not depend on one another, so each device's sums over devices come in an order of their
# own, on threads that all devices share: beside busy programs tests were seen to abort in them
# ("only 3 of them arrived"). With this option a device goes through its program in one order.
IN_ONE_ORDER: dict[str, dict[str, Any]] = {
    "cpu": {"xla_cpu_enable_concurrency_optimized_scheduler": False}
}

Axes = tuple[str, ...]  # the mesh axes over which one axis of an array is spread, the slowest first


def joined(operands: Sequence[Any]) -> list[Any]:
    """The operands, varying along the same manual axes."""
    varying = [jax.typeof(a).manual_axis_type.varying for a in operands]
    every = frozenset().union(*varying)
    return [
        lax.pcast(a, tuple(every - own), to="varying") if every - own else a
        for a, own in zip(operands, varying, strict=True)
    ]


def spread(a: Any) -> tuple[Axes, ...]:
    """The explicit mesh axes over which each axis of an array, or of a type, is spread. Raises
    ValueError for what is still to be summed over devices.
    """
    t = _type(a)
    spec, manual = t.sharding.spec, t.manual_axis_type
    if spec.unreduced or spec.reduced or manual.unreduced or manual.reduced:
        raise ValueError(
            f"an operand {t} is still to be summed over devices; sum it first, by "
            "jax.sharding.reshard or jax.lax.psum"
        )
    each = [
        () if entry is None else (entry,) if isinstance(entry, str) else tuple(entry)
        for entry in spec
    ]
    return (*each, *[()] * (len(t.shape) - len(each)))


def explicit_mesh(operands: Iterable[Any]) -> Any:
    """The mesh of operands of which one has explicit axes in its type, else None."""
    meshes = (_type(a).sharding.mesh for a in operands)
    return next(
        (mesh for mesh in meshes if not mesh.empty and AxisType.Explicit in mesh.axis_types), None
    )


def result_type(
    shape: Shape, dtype: Any, axes: Sequence[Axes], operands: Sequence[ShapedArray]
) -> ShapedArray:
    """The type of a result that is spread over `axes`, one entry each axis. A mesh axis that comes
    twice counts where it comes first, and none counts that does not divide the size.
    """
    mesh = next((t.sharding.mesh for t in operands if not t.sharding.mesh.empty), None)
    if mesh is None:
        return ShapedArray(shape, dtype)
    return operands[0].update(
        shape=shape,
        dtype=dtype,
        weak_type=False,
        sharding=NamedSharding(mesh, _spec(shape, axes, mesh)),
    )


def of_one_device(t: ShapedArray) -> ShapedArray:
    """The type without its manual axes: what one device computes is the same whatever the others
    hold, and loops need not tell.
    """
    return t.update(manual_axis_type=ManualAxisType())


def automatically(run: Callable, shardings: Any, operands: Sequence[Any]) -> Any:
    """run(*operands), compiled with explicit axes made automatic, its results spread by
    `shardings`.
    """
    mesh = explicit_mesh(operands)
    if mesh is None:
        return run(*operands)
    explicit = tuple(
        name
        for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True)
        if kind == AxisType.Explicit
    )
    return jax.sharding.auto_axes(run, axes=explicit, out_sharding=shardings)(*operands)


def rearranged(run: Callable, a: jax.Array, axes: Sequence[Axes]) -> jax.Array:
    """run(a), one array, spread over `axes`, where an operation inside could not tell how its
    result is.
    """
    mesh = explicit_mesh([a])
    if mesh is None:
        return run(a)
    shape = jax.eval_shape(run, jax.ShapeDtypeStruct(a.shape, a.dtype)).shape
    return automatically(run, NamedSharding(mesh, _spec(shape, axes, mesh)), [a])


def reshaped(a: jax.Array, shape: Shape, axes: Sequence[Axes] = ()) -> jax.Array:
    """a.reshape(shape), spread over `axes`; by default its first axis stays as it is, and nothing
    else is spread.
    """
    mesh = explicit_mesh([a])
    if mesh is None:
        return a.reshape(shape)
    axes = axes or (spread(a)[0], *[()] * (len(shape) - 1))
    return lax.reshape(a, shape, out_sharding=NamedSharding(mesh, _spec(shape, axes, mesh)))


def spread_like(a: jax.Array, primal: Any) -> jax.Array:
    """A gradient spread as what it is the gradient of."""
    t = _type(primal)
    if explicit_mesh([t]) is None or spread(a) == spread(t):
        return a
    return jax.sharding.reshard(a, t.sharding)


def devices(axis_context: Any) -> int:
    """Over how many devices the compiler spreads a program, or within `jax.shard_map` one device's
    part of it.
    """
    mesh = getattr(axis_context, "mesh", None)
    if mesh is None:
        return getattr(axis_context, "num_devices", 1)
    return volume(
        tuple(size for name, size in mesh.shape.items() if name not in axis_context.manual_axes)
    )


def on_several_devices(arrays: Any) -> bool:
    """Whether a program of these arrays, a tree, runs on more than one device: what decides if
    IN_ONE_ORDER belongs to its options.
    """
    placed = (
        a.sharding
        for a in jax.tree.leaves(arrays)
        if isinstance(a, (jax.Array, jax.ShapeDtypeStruct))
    )
    return any(sharding is not None and sharding.num_devices > 1 for sharding in placed)


def _spec(shape: Shape, axes: Sequence[Axes], mesh: Any) -> PartitionSpec:
    taken: set[str] = set()
    entries: list[Axes | None] = []
    for size, names in zip(shape, axes, strict=True):
        names = tuple(name for name in names if name not in taken)
        if not isinstance(size, int) or size % volume(tuple(mesh.shape[name] for name in names)):
            names = ()
        entries.append(names or None)
        taken.update(names)
    return PartitionSpec(*entries)


def _type(a: Any) -> ShapedArray:
    """Of an array, of the place of a gradient, or as it is."""
    return a if isinstance(a, ShapedArray) else a.aval if hasattr(a, "aval") else jax.typeof(a)
