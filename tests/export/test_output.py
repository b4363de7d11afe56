from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import memplanner
from memplanner.errors import DeviceError, ExportError
from memplanner.export.output import write_files
from memplanner.messages.protocol import ExportedFile
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.file import read_plan

TWO = (ExportedFile(name="a.yaml", text="a\n"), ExportedFile(name="b.py", text="b\n"))


def test_a_plan_is_written_and_reads_back(tmp_path: Path, llama: Model) -> None:
    plan = Plan().with_values({"adapters.method": "lora", "training.batch_size": 3})
    path = tmp_path / "mine.yaml"
    assert memplanner.export(llama, plan, "plan", path, "H100 80GB") == (str(path),)
    assert read_plan(path) == plan
    assert "llama (LlamaForCausalLM) on H100 80GB" in path.read_text().splitlines()[0]


def test_a_folder_gets_the_targets_own_name(tmp_path: Path, llama: Model) -> None:
    assert memplanner.export(llama, Plan(), "script", tmp_path) == (str(tmp_path / "train.py"),)


def test_several_files_lie_beside_the_first(tmp_path: Path) -> None:
    assert write_files(TWO, tmp_path / "c.yaml") == (
        str(tmp_path / "c.yaml"),
        str(tmp_path / "b.py"),
    )
    assert (tmp_path / "c.yaml").read_text() == "a\n"
    assert write_files(TWO, f"{tmp_path}/")[0] == str(tmp_path / "a.yaml")


@pytest.mark.parametrize("output", ["none/plan.yaml", "none/"])
def test_a_missing_folder_is_named(tmp_path: Path, output: str) -> None:
    with pytest.raises(ExportError) as caught:
        write_files(TWO, f"{tmp_path}/{output}")
    assert f"{tmp_path}/none does not exist; make that folder first." in str(caught.value)


def test_a_full_device_is_one_sentence() -> None:
    with pytest.raises(
        ExportError, match=r"^/dev/full cannot be written: no space left on device; "
    ):
        write_files(TWO[:1], "/dev/full")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "no space left on device; make room or choose another place."),
        (errno.EACCES, "permission denied; choose a place you may write to."),
        (errno.EROFS, "read-only file system; choose a place you may write to."),
        (errno.EIO, "; choose another place."),
    ],
)
def test_nothing_is_left_of_what_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    old = tmp_path / "b.py"
    old.write_text("old\n")
    flush, calls = os.fsync, []

    def fail_at_the_second_file(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:  # the first file, its folder, the second file
            raise OSError(code, os.strerror(code))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fail_at_the_second_file)
    with pytest.raises(ExportError) as caught:
        write_files(TWO, tmp_path)
    assert str(caught.value).startswith(f"{old} cannot be written: ")
    assert str(caught.value).endswith(words)
    assert [path.name for path in tmp_path.iterdir()] == ["b.py"]
    assert old.read_text() == "old\n"


def test_a_name_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is no valid path"):
        write_files(TWO[:1], f"{tmp_path}/a\0b")


def test_an_unknown_device_is_refused(tmp_path: Path, llama: Model) -> None:
    with pytest.raises(DeviceError):
        memplanner.export(llama, Plan(), "plan", tmp_path, "no such card")
    assert list(tmp_path.iterdir()) == []
