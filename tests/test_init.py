"""The public names, and what it costs to import them."""

import ast
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import jconv
import jconv.layers
import jconv.ops
import jconv.scripts.train

PUBLIC = jconv.__all__
MODULES = {
    "analysis",
    "check",
    "compose",
    "data",
    "edit",
    "errors",
    "geometry",
    "grammar",
    "layers",
    "models",
    "ops",
    "scripts",
    "train",
    "tuning",
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
        Layer LayerError ShapeError walk map_layers with_method with_precision precision_errors thin
        replace to_json from_json summary Summary gradcheck split_taps Sequential Residual Concat
        Tap Conv ConvTranspose Local Dense Flatten Normalize Scale PadChannels Subsampling MaxPool
        AvgPool LpPool GlobalAvgPool GlobalMaxPool AdaptiveAvgPool BatchNorm GroupNorm LayerNorm
        LocalResponseNorm ContrastNorm Dropout DropPath Relu Clip LeakyRelu Elu Gelu Silu Sigmoid
        Tanh Softplus Softmax Maxout Lambda Identity Initializer Parameter JconvError InputError
        PatternError jit servable
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


PACKAGES = [
    found.name
    for found in pkgutil.walk_packages(jconv.__path__, "jconv.")
    if found.ispkg and not found.name.startswith(("jconv.models", "jconv.scripts.bench"))
]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_never_names_a_function_like_one_of_its_modules(name):
    package = import_module(name)
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
        f"jconv.{name}" for name in ("cli", "data", "models", "scripts", "train", "view", "weights")
    }


# from what knows nothing to what ties all together: each knows itself and those before it
ROOMS = """
errors geometry settings seeds spelling html files paths ops layer layers optimizer compose
compilation analysis edit check tuning grammar cli data weights view train models demo scripts
""".split()
ROOT = Path(__file__).parents[1]


def imported_rooms(file):
    """The rooms that a file imports from, each with the statement."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    package = ["jconv", *parts[parts[0] == "jconv" : -1]]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = (node.module or "").split(".") if node.module else []
            if node.level:
                base = package[: len(package) - node.level + 1] + base
            names = base[1:2] or [alias.name for alias in node.names]
            for name in names if base[:1] == ["jconv"] else []:
                if name in ROOMS:
                    yield name, ast.unparse(node)


def test_arrows_between_the_rooms_point_one_way():
    inside = [file for file in (ROOT / "jconv").rglob("*.py") if file.parent != ROOT / "jconv"]
    inside += [file for file in (ROOT / "jconv").glob("*.py") if not file.stem.startswith("__")]
    outside = [*(ROOT / "models").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]
    found = {}
    for file in inside + outside:
        parts = file.relative_to(ROOT).with_suffix("").parts
        room = parts[1] if parts[0] == "jconv" else parts[0]
        assert room in ROOMS, f"{file}: a room that has no place in ROOMS"
        for name, statement in imported_rooms(file):
            found.setdefault(room, set()).add(name)
            assert ROOMS.index(name) <= ROOMS.index(room), f"{file}: {statement}"
    assert {"ops", "layer", "analysis"} <= found["edit"], "imports are no longer found"


def test_no_file_of_a_room_imports_itself_in_a_circle():
    """Within a room as well: what a file needs, it can be read after."""
    needs = {}
    for file in [*(ROOT / "jconv").rglob("*.py"), *(ROOT / "scripts" / "bench").rglob("*.py")]:
        parts = file.relative_to(ROOT).with_suffix("").parts
        package = list(parts[:-1])
        me = ".".join(package if parts[-1] == "__init__" else parts)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:  # as it is imported
            if isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1]
                base += node.module.split(".") if node.module else []
                needs.setdefault(me, set()).update(
                    ".".join((*base, alias.name))
                    if is_module((*base, alias.name))
                    else ".".join(base)
                    for alias in node.names
                )
    done = set()

    def visit(name, path):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(needs.get(name, set()) - {name.rpartition(".")[0]}):
                visit(other, [*path, name])
            done.add(name)

    for name in sorted(needs):
        visit(name, [])


def is_module(parts):
    path = ROOT.joinpath(*parts)
    return path.with_suffix(".py").exists() or path.is_dir()
