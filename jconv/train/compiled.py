"""What XLA itself says one training step takes on a TPU: libtpu compiles it ahead of time, on a machine that need not have one.

The compiler runs in a process of its own: it wants its environment set before it is loaded (else it asks the network about the
machine it is on, and may wait for minutes), and when it hangs or aborts, the caller's process does not. The net travels as a pickle.
Measured with libtpu 0.0.52 on jax 0.10.2, momentum, float32, `jconv summary MODEL --memory --batch N` (MiB):

                        predicted    XLA, one v5e   compiling, two shared cores
    lenet5, 64 images         1.9             2.2           24 s
    resnet18, 32          1,343.6         1,737.2          150 s
    vgg16, 1              1,632.6         1,178.0           67 s
    vgg16, 32             3,157.5         4,780.5           55 s

XLA is below where it updates each array as soon as its gradient is there (VGG-16 with one image), and above where it pads 64
channels to the 128 of a TPU's lanes.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer
from .loss import softmax
from .optimizer import make_optimizer
from .state import TrainState
from .step import make_train_step

TOPOLOGY = "v5e:2x2"
CHILD = "from jconv.train.compiled import answer; answer()"
ALONE = {  # a compiler without a machine: it asks nobody, keeps no log, and others may run beside it
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "TPU_LOG_DIR": "disabled",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


class NoAnswer(RuntimeError):
    """The compiler gave no figure; the text, one line, says why."""


class Job(NamedTuple):
    """A training step to compile for one chip of a topology."""

    net: Layer
    in_shape: Shape
    batch: int
    optimizer: str
    dtype: str
    topology: str


class Compiled(NamedTuple):
    """What a compiled training step takes of one chip, in bytes."""

    chip: str
    arguments: int  # parameters, optimizer's cache, statistics, images, labels
    results: int  # what does not take an argument's place
    between: int  # saved values, gradients, workspaces

    @property
    def total(self) -> int:
        return self.arguments + self.results + self.between


def compiled_memory(
    net: Layer,
    in_shape: Shape,
    batch: int,
    *,
    optimizer: str = "momentum",
    dtype: str = "float32",
    topology: str = TOPOLOGY,
    timeout: float = 300.0,
) -> Compiled:
    """XLA's own account of `make_train_step`'s program for one chip of `topology`, a name that jax knows, such as "v4:2x2x1".

    The other arguments are those of `budget`, whose prediction this stands beside. Nothing of the net's size is allocated. It takes
    from half a minute to many; `timeout` is in seconds.
    Raises NoAnswer when libtpu is not installed, is not done in time, or refuses (a program larger than the chip, say), InputError
    for a topology there is none of.
    """
    if find_spec("libtpu") is None:
        raise NoAnswer("libtpu is not installed; pip install 'jconv[tpu-plan]'")
    return _asked(Job(net, in_shape, batch, optimizer, dtype, topology), timeout)


def _asked(job: Job, timeout: float) -> Compiled:
    """The answer of a process of its own."""
    try:
        question = pickle.dumps(tuple(job))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NoAnswer(f"the net cannot be sent to the compiler: {_line(error)}") from None
    try:
        child = subprocess.run([sys.executable, "-c", CHILD], input=question, capture_output=True, env=_environment(), timeout=timeout)
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"XLA did not finish within {timeout:g} s; allow more with timeout= or --wait") from None
    lines = child.stdout.decode(errors="replace").splitlines() or [""]
    try:
        found = json.loads(lines[-1])
    except json.JSONDecodeError:
        said = child.stderr.decode(errors="replace").split("\n\n")[0].strip().splitlines() or ["nothing"]
        raise NoAnswer(f"the compiler ended with exit code {child.returncode} and said: {said[-1]}") from None
    if "wrong" in found:
        raise InputError(found["wrong"])
    if "refused" in found:
        raise NoAnswer(found["refused"])
    return Compiled(**found)


def _environment() -> dict[str, str]:
    """Ours, without what steers jax and libtpu, and able to import what we can."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "TPU_", "LIBTPU_"))}
    return {**kept, **ALONE, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def answer() -> None:
    """The whole of the compiler's process: a job on stdin, and as the last line of stdout what became of it, in JSON."""
    found: dict[str, Any]
    try:
        job = Job(*pickle.load(sys.stdin.buffer))
        found = compile_step(job, find_chip(job.topology))._asdict()
    except InputError as error:
        found = {"wrong": _line(error)}
    except Exception as error:  # whatever it is, the caller says it in a line
        found = {"refused": _line(error)}
    print(json.dumps(found), flush=True)


def find_chip(topology: str) -> Any:
    """The first chip, a jax device, of a topology that is described and need not be there. Raises InputError."""
    from jax.experimental import topologies

    try:
        return topologies.get_topology_desc(topology, "tpu").devices[0]
    except jax.errors.JaxRuntimeError as error:
        raise InputError(f"topology {topology!r}: {_line(error)}; use one like 'v5e:2x2', 'v4:2x2x1', 'v6e:2x2'") from None


def compile_step(job: Job, chip: Any) -> Compiled:
    """The step of a job, compiled for a chip from shapes alone. Raises NoAnswer for a net that does not end in one row of scores."""
    out = job.net.out_shape(job.in_shape)
    if len(out) != 1:
        raise NoAnswer(f"there is no training step for a net that ends in {out}; one row of scores was expected")
    optimizer = make_optimizer(job.optimizer, 0.1)

    def start() -> TrainState:
        params, state = job.net.init(jax.random.key(0), job.in_shape)
        return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))

    place = jax.sharding.SingleDeviceSharding(chip)
    there = lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place)
    images = jax.ShapeDtypeStruct((job.batch, *job.in_shape), jnp.dtype(job.dtype))
    labels = jax.ShapeDtypeStruct((job.batch,), jnp.int32)
    shapes = jax.tree.map(there, (jax.eval_shape(start), images, labels))
    account = make_train_step(job.net, softmax, optimizer).lower(*shapes).compile().memory_analysis()
    if account is None:
        raise NoAnswer(f"XLA for {chip.device_kind} keeps no account of memory")
    results = account.output_size_in_bytes - account.alias_size_in_bytes
    return Compiled(chip.device_kind, account.argument_size_in_bytes, results, account.temp_size_in_bytes)


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
