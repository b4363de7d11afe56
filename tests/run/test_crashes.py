"""Runs whose worker process dies, and runs out of memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from tests.run.conftest import Run
from tests.run.recipes import ABSURD, write_recipe

Start = Callable[..., Run]


def test_an_exit_is_a_failure_with_its_code(run: Start, tmp_path: Path) -> None:
    forward = "if step == 1:\n    print('the licence has run out')\n    os._exit(3)"
    result = run(write_recipe(tmp_path, forward)).result
    assert result.outcome == "failed"
    assert "tiny ended itself with exit code 3" in result.sentence
    assert "the licence has run out" in result.sentence
    assert result.steps == len(result.losses) == 1
    assert result.measured is None


KILL = "time.sleep(0.3)\nos.kill(os.getpid(), signal.SIGKILL)"


def test_a_kill_from_outside_is_a_failure(
    run: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memplanner.run.ending.kernel_kills", lambda: 4)
    result = run(write_recipe(tmp_path, KILL)).result
    assert result.outcome == "failed"
    assert "ended from outside with SIGKILL in forward" in result.sentence


def test_a_kill_by_a_kernel_without_a_count_is_out_of_memory(
    run: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memplanner.run.ending.kernel_kills", lambda: None)
    result = run(write_recipe(tmp_path, KILL)).result
    assert result.outcome == "out_of_memory"
    assert result.sentence.startswith("The system killed the run of tiny in forward")
    assert "try " in result.sentence
    assert result.where == "forward"


def test_a_crash_names_signal_and_line(really_run: Start, tmp_path: Path) -> None:
    forward = "os.kill(os.getpid(), signal.SIGSEGV)"
    source = write_recipe(tmp_path, forward)
    line = source.read_text().splitlines().index("    " + forward) + 1
    result = really_run(source).result
    assert result.outcome == "failed"
    assert "crashed with SIGSEGV" in result.sentence
    assert f"line {line} of tiny.py" in result.sentence


def ended(process_id: int, seconds: float = 5.0) -> bool:
    """Whether a process that was killed is gone, or only waits for its parent to notice."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        try:
            if psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        sleep(0.01)
    return False


@pytest.mark.slow
def test_what_user_code_left_running_holds_nothing_up(run: Start, tmp_path: Path) -> None:
    child = tmp_path / "child"
    forward = f"""
child = os.fork()
if child == 0:
    time.sleep(600)
open({str(child)!r}, "w").write(str(child))
os._exit(1)
"""
    result = run(write_recipe(tmp_path, forward)).result
    assert "ended itself with exit code 1" in result.sentence
    assert child.exists(), result.sentence
    assert ended(int(child.read_text()))


def test_out_of_memory_says_where_and_what_to_change(run: Start, tmp_path: Path) -> None:
    result = run(write_recipe(tmp_path, f"if step == 1: {ABSURD}")).result
    assert result.outcome == "out_of_memory"
    assert result.where == "forward, blocks.1"
    assert result.missing_bytes is not None
    assert 2**47 < result.missing_bytes < 2**48
    assert result.sentence.startswith("Out of memory in forward, blocks.1: ")
    assert " GiB missing" in result.sentence
    assert "try " in result.sentence
    assert result.steps == 1


def test_a_source_that_is_gone_is_one_sentence(run: Start, tmp_path: Path) -> None:
    import memplanner as mp

    source = write_recipe(tmp_path)
    model = mp.load(source)
    source.unlink()
    result = run(model).result
    assert result.outcome == "failed"
    assert result.sentence.startswith(f"“{source}” is not there")
    assert result.model.name == "tiny"
    assert result.steps == 0
