"""What is installed is what lies in the folders, and what the README shows runs."""

import importlib
import re
import tomllib
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOP = {"jconv.models": "models", "jconv.scripts": "scripts"}
MODULES = [
    f"{package}.{file.stem}"
    for package, folder in TOP.items()
    for file in sorted((ROOT / folder).glob("*.py"))
]


def test_the_packages_listed_are_the_folders():
    inside = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "jconv").rglob("__init__.py")
    }
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(inside | set(TOP))
    assert PROJECT["tool"]["setuptools"]["package-dir"] == TOP


def test_no_folder_with_code_lacks_its_init():
    folders = {file.parent for file in (ROOT / "jconv").rglob("*.py")} | {
        ROOT / folder for folder in TOP.values()
    }
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_type_checkers_are_told_that_there_are_types():
    assert (ROOT / "jconv" / "py.typed").read_text() == ""
    assert PROJECT["tool"]["setuptools"]["package-data"]["jconv"] == ["py.typed"]


def test_the_version_is_told_once():
    import jconv

    assert jconv.__version__ == PROJECT["project"]["version"]


@pytest.mark.parametrize("name", MODULES)
def test_models_and_scripts_import_as_part_of_jconv(name):
    module = importlib.import_module(name.removesuffix(".__init__"))
    assert module.__doc__
    if name.startswith("jconv.scripts.") and not name.endswith("__init__"):
        assert callable(module.main)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert blocks
    # as a reader has it; optax's adam needs it
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile("\n".join(blocks), "README.md", "exec"), {"__name__": "readme"})
