"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import jax
import pytest

import jconv
import jconv.models
import jconv.scripts

MODULES = sorted(
    module.name
    for package in (jconv, jconv.models, jconv.scripts)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
    and (package is not jconv or not module.name.startswith(("jconv.models.", "jconv.scripts")))
)
# what a module of jconv.scripts.bench.peers needs
PEERS = {"pytorch": "torch", "flax": "flax", "nnx": "flax", "equinox": "equinox"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the peers' own imports
@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    for part, library in PEERS.items():
        if name.startswith(f"jconv.scripts.bench.peers.{part}"):
            pytest.importorskip(library)
    with jax.numpy_rank_promotion("allow"):
        result = doctest.testmod(
            importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
        )
    assert result.failed == 0


def test_the_notes_comparisons_are_among_them():
    finder = doctest.DocTestFinder()
    ours = [name for name in MODULES if not name.startswith("jconv.scripts.bench.peers.")]
    counted = {
        name: sum(len(t.examples) for t in finder.find(importlib.import_module(name)))
        for name in ours
    }
    assert {name for name, n in counted.items() if n} >= {
        "jconv.analysis.table",
        "jconv.layers.local",
        "jconv.ops.reference",
        "jconv.grammar.building",
    }
