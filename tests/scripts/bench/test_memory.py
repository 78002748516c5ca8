import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from jconv.scripts.bench import memory
from jconv.scripts.bench.memory import measure_memory
from jconv.scripts.bench.nets import SMALL
from jconv.scripts.bench.speed import Settings

pytestmark = pytest.mark.exhaustive  # the benchmark is not in the installed package


@pytest.mark.exhaustive
def test_the_peak_rises_with_what_is_held_and_does_not_fall():
    code = """
import numpy as np
from jconv.scripts.bench.memory import peak_bytes
peaks = [peak_bytes()]
held = np.ones(2**25)
peaks.append(peak_bytes())
del held
print(*peaks, peak_bytes())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, during, after = (int(word) / 2**20 for word in run.stdout.split())  # MiB
    assert during - before == pytest.approx(256, abs=16) and after == pytest.approx(during, abs=1)


@pytest.mark.exhaustive
def test_each_contestant_has_a_process_of_its_own(capfd):
    row = measure_memory("memory", SMALL[0], "train", ("jconv",), Settings(small=True))
    assert (
        row.unit == "B"
        and row.skipped == {}
        and 2**26 < row.before["jconv"] <= row.samples["jconv"][0] < 2**33
    )


def test_a_process_that_fails_is_skipped_with_its_last_word(monkeypatch):
    ends = {
        "jconv": (0, '{"before": 1, "peak": 5}\n', ""),
        "lax": (1, "", "noise\nout of memory\n"),
        "im2col": (-9, "", ""),
    }
    run = lambda command, **_: SimpleNamespace(
        **dict(zip(("returncode", "stdout", "stderr"), ends[command[6]], strict=True))
    )
    monkeypatch.setattr(subprocess, "run", run)
    row = measure_memory("memory", SMALL[0], "train", tuple(ends), Settings())
    assert row.samples == {"jconv": [5]} and row.before == {"jconv": 1}
    assert row.skipped == {"lax": "out of memory", "im2col": "ended with code -9"}


def test_all_compile_anew(monkeypatch):
    environments = []
    ended = SimpleNamespace(returncode=0, stdout='{"before": 1, "peak": 5}', stderr="")
    monkeypatch.setattr(
        subprocess, "run", lambda command, env, **_: environments.append(env) or ended
    )
    measure_memory("memory", SMALL[0], "train", ("jconv", "lax"), Settings())
    assert [env["JAX_ENABLE_COMPILATION_CACHE"] for env in environments] == [
        "false"
    ] * 2 and "PATH" in environments[0]


def test_the_process_says_what_it_held(capsys):
    assert memory.main(["memory", "LeNet", "train", "jconv", "toy"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert 0 < said["before"] <= said["peak"]


def test_a_method_that_cannot_do_the_case_says_what_it_needs(capsys):
    assert memory.main(["memory", "1x1 64-256 at 56", "gradient", "winograd", "toy"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ShapeError: ") and "method 'winograd' needs" in line
