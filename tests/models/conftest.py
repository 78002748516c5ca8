import pytest

from jconv import Sequential, map_layers, thin


@pytest.fixture(scope="session")
def slim():
    """A net at a size for tests: four channels wide, and without the blocks that repeat the one
    before.
    """
    return lambda net: map_layers(thin(net, 0.001), lambda _, layer: without_repeats(layer))


def without_repeats(layer):
    if not isinstance(layer, Sequential):
        return layer
    names = [None, *(name for name, _ in layer.layers)]
    return Sequential(
        **{
            name: child
            for before, (name, child) in zip(names, layer.layers, strict=False)
            if not before or child != layer[before]
        }
    )
