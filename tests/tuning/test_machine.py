import time

import pytest

from jconv.tuning.machine import Used, describe, machine, others_share, peak_flops, used


def test_a_reader_learns_what_it_was_measured_on():
    m = machine()
    assert (
        m["cores"] >= 1
        and m["cpu"]
        and m["versions"]["jax"]
        and m["threads"]["XLA"] == m["cores"]
        and m["device"] == "cpu"
    )
    text = describe(m)
    assert (
        m["cpu"] in text
        and f"{m['cores']} cores" in text
        and f"jax {m['versions']['jax']}" in text
        and "threads in XLA" in text
    )


def test_cards_are_known_by_a_part_of_their_name():
    assert (
        peak_flops("NVIDIA H200", "bfloat16")
        == peak_flops("NVIDIA H100 80GB HBM3", "bfloat16")
        == 989e12
    )
    assert peak_flops("NVIDIA H100 PCIe", "bfloat16") < 989e12
    assert (
        peak_flops("NVIDIA GeForce", "bfloat16") is None and peak_flops("TPU v4", "float32") is None
    )


def test_the_share_that_others_took():
    # 5 busy, 2 of them ours, in 10
    assert others_share(Used(1, 10, 100), Used(3, 15, 110)) == pytest.approx(0.3)
    assert others_share(Used(1, 10, 100), Used(3, 11.9, 110)) == 0  # ticks are coarse
    assert (
        others_share(None, Used(1, 1, 1)) is None
        and others_share(Used(1, 1, 1), Used(1, 1, 1)) is None
    )


def test_what_was_used_grows_with_what_this_process_does():
    before = used()
    if before is None:
        pytest.skip("the system does not tell")
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    after = used()
    assert after.own - before.own >= 0.1 and after.busy > before.busy and after.total > before.total
