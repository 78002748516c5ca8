from jconv.bench.machine import describe, machine, peak_flops


def test_a_reader_learns_what_it_was_measured_on():
    m = machine()
    assert m["cores"] >= 1 and m["cpu"] and m["versions"]["jax"] and m["threads"]["XLA"] == m["cores"] and m["device"] == "cpu"
    text = describe(m)
    assert m["cpu"] in text and f"{m['cores']} cores" in text and f"jax {m['versions']['jax']}" in text and "threads in XLA" in text


def test_cards_are_known_by_a_part_of_their_name():
    assert peak_flops("NVIDIA H200", "bfloat16") == peak_flops("NVIDIA H100 80GB HBM3", "bfloat16") == 989e12
    assert peak_flops("NVIDIA H100 PCIe", "bfloat16") < 989e12
    assert peak_flops("NVIDIA GeForce", "bfloat16") is None and peak_flops("TPU v4", "float32") is None
