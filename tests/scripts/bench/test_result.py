import json

import pytest


def test_times_are_of_jconvs(rows):
    row = rows[0]
    assert row.times("flax").value == pytest.approx(8 / 3) and row.times(
        "torch"
    ).value == pytest.approx(5 / 6)
    assert row.times("flax", "lax").value == pytest.approx(4)
    assert row.times("jconv") is None and row.times("torch-compile") is None
    assert row.fastest_jax_peer == "equinox" and rows[1].fastest_jax_peer is None


def test_spread_is_the_median_between_the_quartiles(rows):
    assert rows[0].spread("lax") == pytest.approx((0.020, 0.019, 0.021))


def test_a_row_is_plain_json_with_its_ratios(rows):
    first, second = (json.loads(json.dumps(row.to_dict(), allow_nan=False)) for row in rows)
    assert first["times_of_jconv"]["equinox"]["value"] == pytest.approx(2)
    assert first["loses"] is True and second["loses"] is False
    assert first["judged"][0] == {"value": 1.5, "low": 1.4, "high": 1.6, "pairs": 21}
    assert first["samples"]["torch"] == rows[0].samples["torch"] and second["errors"] == {
        "lax": None
    }
