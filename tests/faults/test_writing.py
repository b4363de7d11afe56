"""What may befall a file while it is written: the old one is there, or the new one, whole."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from memplanner import writing
from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.file import read_plan, write_plan
from memplanner.writing import write_whole

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals, limits and modes")

_POWER_CUT = """
import os, signal, sys
from pathlib import Path
step = sys.argv[2]
def cut(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
flush, synced = os.fsync, []
def fsync(descriptor):
    synced.append(descriptor)
    if step == "before the file is flushed" or (step == "before the folder is" and synced[1:]):
        cut()
    flush(descriptor)
os.fsync = fsync
if step == "before the rename":
    os.replace = cut
from memplanner.writing import write_whole
write_whole(Path(sys.argv[1]), "new " * 1000, private=True)
"""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("before the file is flushed", "old"),
        ("before the rename", "old"),
        ("before the folder is", "new " * 1000),
    ],
)
def test_a_power_cut_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, step: str, said: str
) -> None:
    path = tmp_path / "a.plan.yaml"
    path.write_text("old")
    command = [sys.executable, "-c", _POWER_CUT, path, step]
    done = subprocess.run(command, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == said


def test_the_file_is_flushed_before_it_is_renamed_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(path: str, target: str, **folders: int) -> None:
        done.append("rename")
        replace(path, target, **folders)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    write_whole(tmp_path / "file", "text")
    assert done == ["file", "rename", "folder"]


_FULL = """
import resource, signal, sys
from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.file import write_plan
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_plan(Plan(), sys.argv[1])
except PlanError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_plan_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.plan.yaml"
    kept = Plan().with_values({"training.batch_size": 7})
    write_plan(kept, path)
    done = subprocess.run(
        [sys.executable, "-c", _FULL, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith(f"{path} could not be written: ")
    assert done.stdout.rstrip().endswith("choose another place or make room.")
    assert read_plan(path) == kept
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_takes_no_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.plan.yaml"
    write_plan(Plan(), path)
    before = path.read_bytes()
    if os.geteuid() == 0:  # to whom a mode says nothing: the system's own refusal is played

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(writing, "open", refuse, raising=False)
    else:
        tmp_path.chmod(0o500)
    with pytest.raises(PlanError, match="could not be written: permission denied; choose"):
        write_plan(Plan().with_values({"training.batch_size": 7}), path)
    tmp_path.chmod(0o700)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_is_private_from_its_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("open to all")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        write_whole(path, "text", private=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives links away")
def test_a_strangers_link_in_a_folder_of_all_is_not_followed(tmp_path: Path) -> None:
    shared, mine = tmp_path / "shared", tmp_path / "mine"
    shared.mkdir()
    os.chown(shared, 3, 3)
    shared.chmod(0o1777)
    mine.write_text("mine")
    link = shared / "a.plan.yaml"
    link.symlink_to(mine)
    write_whole(link, "through a link of ours")
    os.lchown(link, 2, 2)
    with pytest.raises(PlanError, match="could not be written: a link that another user left"):
        write_plan(Plan(), link)
    assert mine.read_text() == "through a link of ours"


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, aside, elsewhere = (tmp_path / name for name in ("folder", "aside", "elsewhere"))
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "a.plan.yaml").write_text("old")
    (elsewhere / "a.plan.yaml").write_text("another's")
    fsync = os.fsync

    def swapped(descriptor: int) -> None:
        fsync(descriptor)
        if not aside.exists():
            folder.rename(aside)
            folder.symlink_to(elsewhere)

    monkeypatch.setattr(os, "fsync", swapped)
    with pytest.raises(PlanError, match="could not be written: another folder took its folder's"):
        write_plan(Plan(), folder / "a.plan.yaml")
    assert [path.read_text() for path in elsewhere.iterdir()] == ["another's"]
    assert [path.read_text() for path in aside.iterdir()] == ["old"]


@pytest.mark.parametrize("when", ["resolved", "looked at"])
def test_what_becomes_a_link_before_it_is_opened_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    other = elsewhere / "a.plan.yaml"
    other.write_text("another's")
    path = folder / "a.plan.yaml"
    realpath = os.path.realpath

    def swapped(name: os.PathLike[str]) -> str:
        found = realpath(name)
        if when == "resolved" and not folder.is_symlink():
            folder.rename(tmp_path / "aside")
            folder.symlink_to(elsewhere)
        elif when == "looked at" and not path.is_symlink():
            path.symlink_to(other)
        return found

    monkeypatch.setattr(os.path, "realpath", swapped)
    with pytest.raises(PlanError, match="could not be written: "):
        write_plan(Plan(), path)
    assert [one.read_text() for one in elsewhere.iterdir()] == ["another's"]


def test_a_folder_that_can_be_written_but_not_read_takes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_DIRECTORY and not flags & os.O_PATH:
            raise PermissionError(13, "Permission denied")
        return opened(name, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "supports_dir_fd", {refuse})
    write_plan(Plan(), tmp_path / "a.plan.yaml")
    assert read_plan(tmp_path / "a.plan.yaml") == Plan()


def test_a_system_without_open_folders_writes_by_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "supports_dir_fd", set())
    path = tmp_path / "a.plan.yaml"
    write_plan(Plan(), path)
    path.chmod(0o640)
    write_plan(Plan().with_values({"training.batch_size": 7}), path)
    assert read_plan(path).training.batch_size == 7
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_to_flush_the_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(PlanError, match="could not be written: input/output error"):
        write_plan(Plan(), tmp_path / "a.plan.yaml")
