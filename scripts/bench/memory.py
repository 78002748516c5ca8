"""Peak memory: each contestant does a case three times in a process of its own, which then says how
large it ever was.

    python -m jconv.scripts.bench.memory SUITE CASE WHAT CONTESTANT full|toy

prints bytes before and at the peak, as JSON.

The peak counts what the process held in memory at once (resident), libraries and compiling
included; "before" is when they were loaded and the parameters and images drawn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .case import Case, What
from .result import CaseResult
from .speed import Note, Settings, reason

CALLS = 3
# compiling takes memory, too: ResNet-20's step 738 MiB so, and 584 read from a cache
NO_CACHE = {"JAX_ENABLE_COMPILATION_CACHE": "false"}


def measure_memory(
    suite: str, case: Case, what: What, names: Sequence[str], settings: Settings, note: Note = str
) -> CaseResult:
    """The contestants' peaks on a case."""
    row = CaseResult(suite, case.name, what, case.batch, case.dtype, unit="B")
    for name in names:
        note(f"running {name} in a process of its own")
        command = [
            sys.executable,
            "-m",
            __name__,
            suite,
            case.name,
            what,
            name,
            "toy" if settings.small else "full",
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | NO_CACHE)
        if done.returncode == 0:
            said = json.loads(done.stdout.splitlines()[-1])
            row.samples[name], row.before[name] = [said["peak"]], said["before"]
        else:
            row.skipped[name] = (
                done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
            )[-1][:200]
    return row


def peak_bytes() -> int:
    """The most this process ever held in memory at once."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(argv: Sequence[str]) -> int:
    from .contestants import maker
    from .suites import find_case
    from .task import wait

    suite, name, what, contestant, size = argv
    try:
        case = find_case(suite, name, size == "toy")
        task = maker(contestant)(case, what)  # type: ignore  (a word of the parent's)
        before = peak_bytes()
        for _ in range(CALLS):
            wait(task.run())
    except Exception as error:  # whatever it raises, the parent tells it in one line
        print(reason(error), file=sys.stderr)
        return 1
    print(json.dumps({"before": before, "peak": peak_bytes()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
