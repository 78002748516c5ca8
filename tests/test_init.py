"""The public names, and what it costs to import them."""

import ast
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jconv
import jconv.layers
import jconv.network
import jconv.ops
import jconv.scripts.train

PUBLIC = jconv.__all__
MODULES = {
    "bench",
    "data",
    "errors",
    "geometry",
    "grammar",
    "layers",
    "models",
    "network",
    "ops",
    "scripts",
    "timing",
    "train",
    "view",
    "weights",
}
HEAVY = {
    "optax",
    "matplotlib",
    "sklearn",
    "rich",
    "tyro",
    "orbax",
    "PIL",
    "safetensors",
    "grain",
    "torch",
    "flax",
    "pooch",
}


def test_the_names_of_the_documentation_are_there():
    wanted = """
        Layer LayerError ShapeError walk map_layers with_method with_precision precision_errors thin replace to_json from_json summary Summary gradcheck split_taps
        Sequential Residual Concat Tap Conv ConvTranspose Local Dense Flatten Normalize Scale PadChannels Subsampling MaxPool AvgPool
        LpPool GlobalAvgPool GlobalMaxPool AdaptiveAvgPool BatchNorm GroupNorm LayerNorm LocalResponseNorm ContrastNorm Dropout
        DropPath Relu LeakyRelu Elu Gelu Silu Sigmoid Tanh Softplus Softmax Maxout Lambda Identity Initializer Parameter
        JconvError InputError PatternError jit servable
    """.split()
    assert set(wanted) <= set(PUBLIC)


def test_what_is_public_is_what_is_imported_and_nothing_else():
    imported = [
        name
        for name, value in vars(jconv).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    ]
    helpers = {"annotations", "import_module", "TYPE_CHECKING"}
    assert len(set(PUBLIC)) == len(PUBLIC)
    assert set(imported) - helpers == set(PUBLIC)


def test_each_public_name_stands_in_one_place_of_the_overview():
    """Which is the docstring of jconv: its lines of two columns, the second of names."""
    rows = [line[20:] for line in jconv.__doc__.splitlines()[1:] if line[18:20] == "  "]
    words = re.findall(r"\w+", " ".join(rows))
    assert {name: words.count(name) for name in PUBLIC} == dict.fromkeys(PUBLIC, 1)
    capitals = {word for word in words if word[0].isupper()} - {"JSON"}
    assert capitals <= set(PUBLIC), "the overview names what there is not"


def test_modules_are_attributes_and_are_listed():
    listed = dir(jconv)
    assert MODULES | set(PUBLIC) <= set(listed)
    assert {name for name in listed if not name.startswith("_")} == MODULES | set(PUBLIC)
    assert (
        jconv.train.TrainState
        and jconv.models.build
        and jconv.weights.load_weights
        and jconv.scripts.train.main
    )
    assert all(re.search(rf"\b{name}\b", jconv.__doc__) for name in MODULES)
    with pytest.raises(AttributeError, match="module 'jconv' has no attribute 'nothing'"):
        _ = jconv.nothing


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring_of_its_own(name):
    value = getattr(jconv, name)
    assert value.__doc__
    assert not value.__doc__.startswith(f"{name}("), "a dataclass made this one up"


@pytest.mark.parametrize(
    "package", [jconv.layers, jconv.ops, jconv.network], ids=lambda package: package.__name__
)
def test_a_package_never_names_a_function_like_one_of_its_modules(package):
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not [name for name in modules if not inspect.ismodule(getattr(package, name, package))]


def test_jconv_imports_the_core_alone():
    """In an interpreter of its own: here other tests have imported everything already."""
    code = "import sys, json, jconv; dir(jconv); print(json.dumps(sorted(sys.modules)))"
    environment = {"PYTHONPATH": str(Path(jconv.__file__).parents[1]), "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    loaded = set(json.loads(run.stdout))
    assert "jax" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert not loaded & {
        f"jconv.{name}"
        for name in ("bench", "data", "models", "scripts", "train", "view", "weights")
    }


def test_arrows_between_the_rooms_point_one_way():
    """ops and geometry know nothing of layers; layers know ops; compose and network know layers;
    none of them knows the rest.
    """
    folder = Path(jconv.__file__).parent
    above = {"train", "data", "weights", "view", "models", "scripts"}
    forbidden = {
        "geometry.py": above | {"layer", "layers", "compose", "network", "tap", "ops"},
        "layer.py": above | {"layers", "compose", "network", "tap"},
        "ops": above | {"layer", "layers", "compose", "network", "tap"},
        "layers": above | {"compose", "network", "tap"},
        "composite.py": above | {"network", "tap", "compose"},
        "compose.py": above | {"network", "tap"},
        "network": above,
    }
    for name, names in forbidden.items():
        for file in (
            [folder / name] if name.endswith(".py") else sorted((folder / name).glob("*.py"))
        ):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    assert (
                        not {*(node.module or "").split("."), *(alias.name for alias in node.names)}
                        & names
                    ), f"{file}: {ast.unparse(node)}"
