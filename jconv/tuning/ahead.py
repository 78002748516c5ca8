"""Programs compiled ahead of time for a TPU that need not be there, by libtpu, and what its
compiler says they take.

The compiler runs in a process of its own: it wants its environment set before it is loaded (else it
asks the network about the machine it is on, and may wait for minutes), and when it hangs or aborts,
the caller's process does not. Programs travel as pickles, and one process compiles all of them; one
that it does not survive is answered for, and another process goes on with the rest.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from tempfile import TemporaryFile
from threading import Timer
from time import perf_counter
from typing import IO, Any, NamedTuple, Protocol

import jax

from ..errors import InputError, JconvError

TOPOLOGY = "v5e:2x2"
CHILD = "from jconv.tuning.ahead import answer; answer()"
# a compiler without a machine: it asks nobody, keeps no log, and others may run beside it
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "TPU_LOG_DIR": "disabled",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


class CompilationFailed(JconvError, RuntimeError):
    """The compiler gave no figure; the text, one line, says why."""


class Program(Protocol):
    """What can be compiled ahead. It is pickled by the name of its class and its settings, so that
    class lies in a module.
    """

    def lowered(self, chip: Any) -> Any:
        """`jax.jit(f).lower(...)` of shapes that lie on a chip, a jax device. Raises
        CompilationFailed where there is no such program.
        """
        ...


class Compiled(NamedTuple):
    """What a compiled program takes of one chip: bytes held, and XLA's counts of its arithmetic and
    traffic.
    """

    chip: str
    # bytes: of a training step the parameters, the optimizer's cache, statistics, images and labels
    arguments: int
    results: int  # bytes that do not take an argument's place
    between: int  # bytes: saved values, gradients, workspaces
    flops: float | None  # multiply and add apart; None where it is not told
    accessed: float | None  # bytes read and written
    seconds: float  # of compiling; tracing is apart

    @property
    def total(self) -> int:
        return self.arguments + self.results + self.between


def compile_ahead(
    programs: Sequence[Program], topology: str = TOPOLOGY, timeout: float = 300.0
) -> Iterator[Compiled | CompilationFailed]:
    """XLA's account of each program on one chip of `topology`, a name that jax knows, such as
    "v4:2x2x1", as it comes.

    Nothing of the programs' size is allocated. `timeout` is in seconds, for each program (the first
    pays for the start). In place of an account comes a CompilationFailed where XLA is not done in
    time, or refuses (a program larger than the chip, say). Raises CompilationFailed when libtpu is
    not installed or a program cannot be pickled, InputError for a topology there is none of.
    """
    if find_spec("libtpu") is None:
        raise CompilationFailed("libtpu is not installed; pip install 'jconv[tpu-plan]'")
    try:
        waiting = [pickle.dumps(program) for program in programs]
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise CompilationFailed(f"the net cannot be sent to the compiler: {_line(error)}") from None
    while waiting:
        for found in _answers(topology, waiting, timeout):
            waiting = waiting[1:]
            yield found


def _answers(
    topology: str, waiting: Sequence[bytes], timeout: float
) -> Iterator[Compiled | CompilationFailed]:
    """The answers of one process, at least one; the last is why there are no more, when it does not
    live to the end.
    """
    with TemporaryFile() as request, TemporaryFile() as errors:
        pickle.dump((topology, waiting), request)
        request.seek(0)
        command, streams = (
            [sys.executable, "-c", CHILD],
            {"stdin": request, "stdout": subprocess.PIPE, "stderr": errors},
        )
        with subprocess.Popen(command, env=_environment(), **streams) as child:
            try:
                for _ in waiting:
                    start = perf_counter()
                    found = _next_answer(child, timeout)
                    if "wrong" in found:
                        raise InputError(found["wrong"])
                    if not found:
                        yield _how_it_ended(
                            child, errors, perf_counter() - start >= timeout, timeout
                        )
                        return
                    yield (
                        CompilationFailed(found["refused"])
                        if "refused" in found
                        else Compiled(**found)
                    )
            finally:
                child.kill()


def _next_answer(child: subprocess.Popen, timeout: float) -> dict[str, Any]:
    """The next line of JSON that the process prints; empty when it ends, and after `timeout`
    seconds it is ended.
    """
    timer = Timer(timeout, child.kill)
    timer.start()
    try:
        for line in child.stdout or ():
            with suppress(ValueError):  # of something else
                if isinstance(found := json.loads(line), dict):
                    return found
        return {}
    finally:
        timer.cancel()


def _how_it_ended(
    child: subprocess.Popen, errors: IO[bytes], late: bool, timeout: float
) -> CompilationFailed:
    if late:
        return CompilationFailed(
            f"XLA did not finish within {timeout:g} s; allow more with timeout="
        )
    code = child.wait()
    errors.seek(0)
    last = errors.read().decode(errors="replace").split("\n\n")[0].strip().splitlines() or [
        "nothing"
    ]
    return CompilationFailed(f"the compiler ended with exit code {code} and said: {last[-1]}")


def _environment() -> dict[str, str]:
    """Ours, without what steers jax and libtpu, and able to import what we can."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_", "XLA_", "TPU_", "LIBTPU_"))
    }
    return {**kept, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def answer() -> None:
    """The whole of the compiler's process: programs on stdin, and on stdout for each a line of
    JSON, what became of it.
    """
    topology, waiting = pickle.load(sys.stdin.buffer)
    for question in waiting:
        found: dict[str, Any]
        try:
            chip = find_chip(topology)
            found = account(chip, pickle.loads(question).lowered(chip))._asdict()
        except InputError as error:
            found = {"wrong": _line(error)}
        except Exception as error:  # whatever it is, the caller says it in a line
            found = {"refused": _line(error)}
        print(json.dumps(found), flush=True)
        jax.clear_caches()


def find_chip(topology: str) -> Any:
    """The first chip, a jax device, of a topology that is described and need not be there. Raises
    InputError.
    """
    from jax.experimental import topologies

    try:
        return topologies.get_topology_desc(topology, "tpu").devices[0]
    except jax.errors.JaxRuntimeError as error:
        raise InputError(
            f"topology {topology!r}: {_line(error)}; use one like 'v5e:2x2', 'v4:2x2x1', 'v6e:2x2'"
        ) from None


def on(chip: Any, shapes: Any) -> Any:
    """A tree of shapes, each to lie on the chip."""
    place = jax.sharding.SingleDeviceSharding(chip)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place), shapes)


def account(chip: Any, lowered: Any) -> Compiled:
    """Compile what was lowered for a chip, and read XLA's accounts. Raises CompilationFailed where
    none is kept of memory.
    """
    start = perf_counter()
    compiled = lowered.compile()
    seconds = perf_counter() - start
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    if memory is None:
        raise CompilationFailed(f"XLA for {chip.device_kind} keeps no account of memory")
    results = memory.output_size_in_bytes - memory.alias_size_in_bytes
    sizes = memory.argument_size_in_bytes, results, memory.temp_size_in_bytes
    return Compiled(
        chip.device_kind, *sizes, cost.get("flops"), cost.get("bytes accessed"), seconds
    )


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
