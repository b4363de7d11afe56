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
def cut(*_):
    os.kill(os.getpid(), signal.SIGKILL)
flush, synced = os.fsync, []
def fsync(descriptor):
    synced.append(descriptor)
    if step == "before the file is flushed" or (step == "before the folder is" and synced[1:]):
        cut()
    flush(descriptor)
os.fsync = fsync
if step == "before the rename":
    Path.replace = cut
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
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
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
