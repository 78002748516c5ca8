import jax
import pytest

from jconv.errors import InputError
from jconv.ops import METHODS
from jconv.scripts.bench import contestants
from jconv.scripts.bench.contestants import (
    MAIN,
    NAMES,
    PEERS,
    UNTUNED,
    check_contestants,
    label,
    maker,
)
from jconv.scripts.bench.task import Unable


def test_every_method_can_take_part_under_one_name():
    assert (
        set(contestants.OURS.values()) == {"auto", "lax", *METHODS}
        and contestants.OURS["jconv"] == "auto"
    )
    assert len(set(NAMES)) == len(NAMES) and set(MAIN) <= set(NAMES)
    assert [label(name) for name in ("jconv", "lax", "im2col", "torch")] == [
        "jconv",
        "plain lax",
        "jconv im2col",
        "PyTorch",
    ]


def test_without_autotuning_only_the_compilers_option_differs(small_net, monkeypatch):
    """The CPU's compiler reads the option and has no use for it, so that the numbers are the
    same.
    """
    asked, real = {}, jax.jit

    def spied(name):
        def jit(f, **settings):
            asked[name] = settings.get("compiler_options") or asked.get(name)
            return real(f, **settings)

        monkeypatch.setattr(jax, "jit", jit)
        return maker(name)(small_net, "train").run()[1]

    assert spied("jconv") == spied(UNTUNED) and label(UNTUNED) == "jconv, no autotuning"
    assert asked[UNTUNED] == (asked["jconv"] or {}) | {"xla_gpu_autotune_level": 0}


def test_a_framework_that_is_absent_is_said_by_name(monkeypatch):
    monkeypatch.setattr(contestants, "find_spec", lambda name: None)
    with pytest.raises(Unable, match=r"^equinox is not installed: pip install 'jconv\[peers\]'$"):
        maker("equinox")


@pytest.mark.parametrize("name", PEERS)
def test_a_framework_that_is_there_has_its_function(name):
    pytest.importorskip(PEERS[name].library)
    assert callable(maker(name))


def test_unknown_contestants_are_refused():
    with pytest.raises(InputError, match="unknown contestant 'keras'; use 'jconv', 'lax'"):
        check_contestants(["jconv", "keras"])
