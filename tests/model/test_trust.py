"""Programs opened as models: asked for once by content, and never run before."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from memplanner.errors import SourceError, TrustNeeded
from memplanner.model import load, trust

CODE = """
from pathlib import Path
import torch
Path(__file__).with_name("ran").touch()

def model():
    return torch.nn.Linear(4, 2)

def batch(batch_size, sequence_length):
    return {"input": torch.zeros(batch_size, 4)}
"""
NET = ["input=Bx4"]


@pytest.fixture(autouse=True)
def nothing_agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv(trust.TRUSTED_FOLDERS, "")
    monkeypatch.setattr(trust, "_now", set())


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(CODE)
    return path


def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_now", set())


def test_a_recipe_is_asked_for_once_until_it_changes(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrustNeeded, match=r"net\.py with your rights on this machine; read it"):
        load(recipe)
    assert not recipe.with_name("ran").exists()
    load(recipe, trust_code=True)
    another_process(monkeypatch)
    assert load(recipe).parameter_count == 10

    recipe.with_name("ran").unlink()
    recipe.write_text(CODE + "\n")
    with pytest.raises(TrustNeeded, match="has changed since you agreed"):
        load(recipe)
    assert not recipe.with_name("ran").exists()
    recipe.write_text(CODE)
    load(recipe)


def test_the_same_content_beside_other_files_is_asked_for(recipe: Path) -> None:
    load(recipe, trust_code=True)
    other = recipe.parent / "other" / "net.py"
    other.parent.mkdir()
    other.write_text(CODE)
    with pytest.raises(TrustNeeded):
        load(other)
    link = recipe.with_name("link.py")
    link.symlink_to(recipe)  # the same file
    load(link)


def test_what_was_agreed_to_is_the_owners_alone(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(recipe, trust_code=True)
    kept = trust.agreements_path()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    digest, path = kept.read_text().split("  ")
    assert digest == trust.digest_of([recipe])
    assert path == f"{str(recipe.resolve())!a}\n"

    another_process(monkeypatch)
    kept.chmod(0o666)  # then others could have written it
    with pytest.raises(TrustNeeded):
        load(recipe)
    load(recipe, trust_code=True)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    another_process(monkeypatch)
    load(recipe)


def test_where_nothing_can_be_kept_it_counts_for_this_process(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("in the way")
    load(recipe, trust_code=True)
    load(recipe)
    another_process(monkeypatch)
    with pytest.raises(TrustNeeded):
        load(recipe)


def test_programs_of_trusted_folders_run_unasked(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = os.pathsep.join([str(tmp_path / "none"), str(recipe.parent)])
    monkeypatch.setenv(trust.TRUSTED_FOLDERS, folders)
    load(recipe)
    outside = tmp_path / "none" / ".." / ".." / "outside.py"
    with pytest.raises(TrustNeeded):
        trust.ask("outside.py", outside, "0" * 64, agreed=False)


def test_a_compiled_file_beside_a_recipe_is_not_what_runs(recipe: Path) -> None:
    import importlib.util
    import py_compile

    evil = recipe.with_name("evil.py")
    evil.write_text("raise SystemExit('compiled')")
    cached = importlib.util.cache_from_source(str(recipe))
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(evil), cfile=cached, invalidation_mode=unchecked)
    assert load(recipe, trust_code=True).parameter_count == 10


def test_a_recipe_too_long_to_read_is_refused(recipe: Path) -> None:
    os.truncate(recipe, 16 * 2**20 + 1)
    with pytest.raises(SourceError, match="longer than 16 MiB"):
        load(recipe, trust_code=True)


def test_an_importable_is_asked_for_before_its_packages_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "asked_package"
    package.mkdir()
    (package / "__init__.py").write_text(CODE)
    (package / "net.py").write_text("from torch import nn\ndef make():\n    return nn.Linear(4, 2)")
    monkeypatch.syspath_prepend(tmp_path)
    source = "asked_package.net:make"
    with pytest.raises(TrustNeeded, match=r"asked_package.net\.py"):
        load(source, inputs=NET)
    assert "asked_package" not in sys.modules
    assert not (package / "ran").exists()
    load(source, inputs=NET, trust_code=True)
    another_process(monkeypatch)
    load(source, inputs=NET)
    (package / "__init__.py").write_text("")
    with pytest.raises(TrustNeeded, match="has changed"):
        load(source, inputs=NET)


def test_what_is_built_into_python_is_asked_for_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(TrustNeeded, match="sys:getrecursionlimit"):
        load("sys:getrecursionlimit", inputs=NET)
    with pytest.raises(SourceError, match=r"no torch\.nn\.Module"):
        load("sys:getrecursionlimit", inputs=NET, trust_code=True)
    another_process(monkeypatch)
    with pytest.raises(TrustNeeded):
        load("sys:gettotalrefcount", inputs=NET)
    with pytest.raises(SourceError, match="does not find") as caught:
        load("nowhere_to_be_found.net:make", inputs=NET)
    assert not isinstance(caught.value, TrustNeeded)


def test_a_second_agreement_is_added_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv(trust.TRUSTED_FOLDERS, "")
    monkeypatch.setattr(trust, "_now", set())
    for name in ("a", "b"):
        trust.ask(name, tmp_path / name, name * 64, agreed=True)
    kept = trust.agreements_path().read_text().splitlines()
    assert [line[:64] for line in kept] == ["a" * 64, "b" * 64]
    monkeypatch.setattr(trust, "_now", set())
    trust.ask("a", tmp_path / "a", "a" * 64, agreed=False)  # raises where it has to be asked


@pytest.mark.skipif(os.name != "posix", reason="pipes and modes are POSIX'")
def test_agreements_that_are_no_file_count_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv(trust.TRUSTED_FOLDERS, "")
    monkeypatch.setattr(trust, "_now", set())
    trust.agreements_path().mkdir(parents=True)
    with pytest.raises(trust.TrustNeeded, match="read it, and agree to run it"):
        trust.ask("a", tmp_path / "a", "a" * 64, agreed=False)
