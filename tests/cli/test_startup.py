"""What the command sets up before JAX loads."""

import pytest

from jconv.cli import startup
from jconv.cli.startup import PAGES, cache_settings, page_settings


@pytest.fixture
def switch(tmp_path):
    path = tmp_path / "enabled"
    path.write_text("always [madvise] never\n")
    return path


def test_huge_pages_are_asked_for_where_there_are_any(switch, tmp_path):
    assert page_settings({}, ("glibc", "2.36"), switch) == {"GLIBC_TUNABLES": PAGES}
    assert page_settings({"GLIBC_TUNABLES": "glibc.malloc.check=1"}, ("glibc", "2.35"), switch) == {
        "GLIBC_TUNABLES": f"glibc.malloc.check=1:{PAGES}"
    }
    assert page_settings({}, ("glibc", "2.31"), switch) == {}
    assert page_settings({}, ("", ""), switch) == {}
    assert page_settings({}, ("glibc", "2.36"), tmp_path / "absent") == {}
    switch.write_text("always madvise [never]\n")
    assert page_settings({}, ("glibc", "2.36"), switch) == {}


@pytest.mark.parametrize("chosen", ["glibc.malloc.hugetlb=0", PAGES])
def test_what_the_user_says_of_pages_stands(chosen, switch):
    assert page_settings({"GLIBC_TUNABLES": chosen}, ("glibc", "2.36"), switch) == {}


def test_compiled_programs_are_kept_unless_the_user_says_otherwise(tmp_path):
    settings = cache_settings({"XDG_CACHE_HOME": str(tmp_path)})
    assert settings["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "jconv")
    assert cache_settings({"JAX_COMPILATION_CACHE_DIR": ""}) == {}


def test_the_process_starts_anew_once(monkeypatch, switch):
    started = []
    monkeypatch.setattr(startup, "SWITCH", switch)
    monkeypatch.setattr(startup.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(startup.sys, "orig_argv", ["python", "-m", "jconv", "train"])
    monkeypatch.setattr(startup.os, "environ", {"JAX_COMPILATION_CACHE_DIR": ""})
    monkeypatch.setattr(startup.os, "execve", lambda *call: started.append(call))
    startup.set_up()
    (program, arguments, environ) = started.pop()
    assert arguments == [program, "-m", "jconv", "train"]
    monkeypatch.setattr(startup.os, "environ", environ)
    startup.set_up()
    assert not started


def test_a_user_without_a_home_has_no_cache(monkeypatch, tmp_path):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(startup.Path, "home", nobody)
    assert cache_settings({}) == {}
    assert cache_settings({"XDG_CACHE_HOME": str(tmp_path)})


@pytest.mark.parametrize("home", ["locked", "file", "locked/deep/er"])
def test_a_home_that_cannot_be_written_to_has_none_either(monkeypatch, tmp_path, home):
    (tmp_path / "locked").mkdir()
    (tmp_path / "file").write_text("")
    # root may write everywhere
    monkeypatch.setattr(startup.os, "access", lambda path, mode: "locked" not in str(path))
    assert cache_settings({"XDG_CACHE_HOME": str(tmp_path / home)}) == {}


def test_pictures_need_no_window_system(monkeypatch):
    monkeypatch.setattr(
        startup.os,
        "environ",
        {"JAX_COMPILATION_CACHE_DIR": "", "MPLBACKEND": "module://not.installed"},
    )
    monkeypatch.setattr(startup, "page_settings", lambda *_: {})
    startup.set_up()
    assert startup.os.environ["MPLBACKEND"] == "agg"
