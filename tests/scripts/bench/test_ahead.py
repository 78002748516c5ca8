"""Cases compiled ahead, with the CPU in the place of a TPU's chip, so that no libtpu is needed."""

import dataclasses

import jax
import pytest

from jconv.errors import InputError
from jconv.scripts.bench import ahead
from jconv.scripts.bench.ahead import AheadRow, CaseProgram, ahead_markdown, measure_ahead
from jconv.scripts.bench.case import ONE_GRADIENT, WHATS
from jconv.scripts.bench.suites import Entry
from jconv.tuning.ahead import CompilationFailed, Compiled, account
from jconv.tuning.machine import machine

pytestmark = pytest.mark.exhaustive  # the benchmark is not in the installed package

FOUND = Compiled("TPU v0", 2**20, 0, 2**21, 3.5e9, None, 1.25)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("what", WHATS)
def test_every_form_of_a_case_is_lowered_from_shapes(small_net, what):
    chip = jax.devices("cpu")[0]
    found = account(chip, CaseProgram(small_net, what, "auto").lowered(chip))
    # at least half of one convolution: edges count less
    assert found.flops > 2 * 3 * 6 * 8 * 9 * 2 * 4 / 2 and found.total > 0
    images = lambda dtype: (
        account(
            chip,
            CaseProgram(dataclasses.replace(small_net, dtype=dtype), what, "lax").lowered(chip),
        ).arguments
    )
    given = 3 * 5 if what in ONE_GRADIENT else 0  # the output's gradient
    assert images("float32") - images("bfloat16") == (3 * 6 * 8 * 2 + given) * 2


def test_a_row_for_each_case_and_contestant_and_the_reason_of_a_refusal(small_net, monkeypatch):
    asked = []
    monkeypatch.setattr(
        ahead,
        "compile_ahead",
        lambda *question: asked.append(question) or iter([FOUND, CompilationFailed("too large")]),
    )
    rows = list(measure_ahead([Entry("gpu", small_net, "train")], ("jconv", "lax"), "v5e:2x2", 7.0))
    assert asked == [
        (
            [CaseProgram(small_net, "train", "auto"), CaseProgram(small_net, "train", "lax")],
            "v5e:2x2",
            7.0,
        )
    ]
    assert [str(row) for row in rows] == [
        "gpu: small, train, batch 3, jconv: 3.50 GFLOP, –, 3.0 MiB, 1.2 s",
        "gpu: small, train, batch 3, plain lax: refused: too large",
    ]
    assert rows[0].to_dict()["account"]["flops"] == 3.5e9 and rows[1].to_dict()["account"] is None


def test_only_what_is_ours_compiles_ahead(small_net):
    with pytest.raises(
        InputError, match="--ahead compiles jconv alone, not PyTorch; leave it out of --contestants"
    ):
        next(measure_ahead([Entry("gpu", small_net, "train")], ("torch",), "v5e:2x2", 7.0))


def test_markdown_has_a_line_for_each():
    rows = [
        AheadRow("gpu", "A", "train", 8, "bfloat16", "jconv", FOUND),
        AheadRow("gpu", "B", "forward", 8, "float32", "lax", None, "no"),
    ]
    text = ahead_markdown(machine(), rows, "v5e:2x2", "jconv bench --ahead v5e:2x2")
    assert "Compiled for one TPU v0 of v5e:2x2, which was not there: nothing was run." in text
    assert "| A, train, bfloat16 | 8 | jconv | 3.50 GFLOP | – | 3.0 MiB | 1.2 s |" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert (
        lines[-1] == "| B, forward | 8 | plain lax | refused: no |  |  |  |"
        and len({line.count("|") for line in lines}) == 1
    )
