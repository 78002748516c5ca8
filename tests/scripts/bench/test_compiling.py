import jax
import pytest

from jconv.scripts.bench import compiling
from jconv.scripts.bench.compiling import measure_compiling
from jconv.scripts.bench.speed import Settings

pytestmark = pytest.mark.exhaustive  # the benchmark is not in the installed package


@pytest.mark.exhaustive
def test_compile_seconds_of_each_are_sampled_apart(small_net):
    row = measure_compiling("compile", small_net, "train", ("jconv", "lax"), Settings(pairs=2))
    assert [len(row.samples[name]) for name in ("jconv", "lax")] == [2, 2] and row.unit == "s"
    assert min(row.samples["jconv"]) > 0.01, "nothing was compiled: a cache answered"


def test_a_compiler_that_fails_is_left_out_and_no_cache_is_used(small_net, monkeypatch):
    seen = []

    def seconds(case, what, name):
        seen.append(jax.config.values["jax_enable_compilation_cache"])
        if name == "lax":
            raise RuntimeError("no compiler\nat all")
        return 2.0

    before = jax.config.values["jax_enable_compilation_cache"]
    monkeypatch.setattr(compiling, "compile_seconds", seconds)
    row = measure_compiling("compile", small_net, "train", ("jconv", "lax"), Settings())
    assert row.samples == {"jconv": [2.0] * 3} and row.skipped == {
        "lax": "RuntimeError: no compiler"
    }
    assert (
        set(seen) == {False}
        and len(seen) == 4
        and jax.config.values["jax_enable_compilation_cache"] is before
    )
