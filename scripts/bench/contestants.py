"""Who takes part: jconv by any of its methods, and the frameworks of the extra `peers`, each
imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from jconv.errors import InputError, unknown
from jconv.ops import METHODS

from .case import ONE_GRADIENT, Case, What
from .looped import written_out
from .task import Task, Unable

Maker = Callable[[Case, What], Task]


class Peer(NamedTuple):
    library: str  # its distribution and top module
    module: str  # in peers/
    function: str
    label: str


PEERS = {
    "flax": Peer("flax", "flax_nnx", "task", "Flax NNX"),
    "equinox": Peer("equinox", "equinox_nets", "task", "Equinox"),
    "torch": Peer("torch", "pytorch", "eager", "PyTorch"),
    "torch-compile": Peer("torch", "pytorch", "compiled", "torch.compile"),
}
OURS = {"jconv": "auto", "lax": "lax", **{method: method for method in METHODS}}  # name -> method
# a GPU's compiler then tries no kernels: what it takes can be tens of times slower
UNTUNED = "jconv-untuned"
WRITTEN_OUT = "jconv-written-out"  # the steps of a scan one after another in one program
NAMES = (*OURS, UNTUNED, WRITTEN_OUT, *PEERS)
LABELS = {
    "jconv": "jconv",
    "lax": "plain lax",
    UNTUNED: "jconv, no autotuning",
    WRITTEN_OUT: "written out",
}
LABELS |= {name: peer.label for name, peer in PEERS.items()}
JAX_PEERS = ("flax", "equinox")
# who takes part unless it is said otherwise; the other methods only where memory is compared
MAIN = ("jconv", "lax", *PEERS)


def label(name: str) -> str:
    """How tables call a contestant."""
    return LABELS.get(name, f"jconv {name}")


def maker(name: str) -> Maker:
    """What makes a contestant's task of a case. Raises Unable when its library is not installed."""
    if name in (*OURS, UNTUNED, WRITTEN_OUT):
        from .ours import task

        special = {
            UNTUNED: partial(task, options={"xla_gpu_autotune_level": 0}),
            WRITTEN_OUT: lambda case, what: task(replace(case, net=written_out(case.net)), what),
        }
        return special.get(name) or partial(task, method=OURS[name])
    peer = PEERS[name]
    if find_spec(peer.library) is None:
        raise Unable(f"{peer.library} is not installed: pip install 'jconv[peers]'")
    make = getattr(import_module(f".peers.{peer.module}", __package__), peer.function)

    def whole(case: Case, what: What) -> Task:
        if what in ONE_GRADIENT:
            raise Unable("computes whole gradients only")
        return make(case, what)

    return whole


def check_contestants(names: Iterable[str]) -> None:
    """Raises InputError for a name that is not a contestant's."""
    for name in names:
        if name not in NAMES:
            raise InputError(unknown("contestant", name, NAMES))
