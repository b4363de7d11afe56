"""Many ranks' events as one run's, and refusals before anything starts: no process is started."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count, islice
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import memplanner as mp
from memplanner.cli.changes import PlanChanges
from memplanner.errors import PlanError, RunError
from memplanner.messages.device import Device
from memplanner.messages.estimate import Categories
from memplanner.messages.run import (
    RankRun,
    RunFigures,
    RunProgress,
    RunResult,
    RunSample,
    RunStarted,
    RunStep,
)
from memplanner.plan.sharding import Sharding
from memplanner.run.ranks_channel import Ranks, join_as
from memplanner.run.ranks_gathering import Gathering
from memplanner.run.ranks_request import check_host_memory, check_ranks, device_for
from memplanner.run.ranks_session import own_batches
from memplanner.run.request import RunRequest
from memplanner.run.trainer import highest_of
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.parallel.mesh import data_place
from tests.run.recipes import write_recipe

TWO = mp.Plan.model_validate({"sharding": {"cards_per_node": 2}})


def _figures(allocated_bytes: int) -> RunFigures:
    return RunFigures(
        allocated_bytes=allocated_bytes,
        phase="backward",
        by_category=Categories(parameters=allocated_bytes),
        by_phase={"backward": allocated_bytes},
    )


@pytest.fixture
def request_(cpu: Device, tmp_path: Path) -> RunRequest:
    model = mp.load(write_recipe(tmp_path))
    return RunRequest(
        source=model.source, inputs=(), trust_code=False, model=model.info(), plan=TWO, device=cpu,
        steps=2, data=None, predicted=_figures(100),
        ranks=tuple(RankRun(rank=rank, predicted=_figures(100 - rank)) for rank in (0, 1)),
    )  # fmt: skip


def _started(request: RunRequest, process_id: int) -> RunStarted:
    return RunStarted(
        model=request.model, device=request.device, plan=request.plan, steps=request.steps,
        process_id=process_id, data="text", predicted=_figures(0),
    )  # fmt: skip


def _step(peak_bytes: int, loss: float | None, seconds: float) -> RunStep:
    return RunStep(seconds=seconds, step=1, loss=loss, step_seconds=seconds, peak_bytes=peak_bytes)


def _result(request: RunRequest, outcome: Any, measured: int | None, sentence: str = "") -> Any:
    figures = None if measured is None else _figures(measured)
    return RunResult(
        outcome=outcome, sentence=sentence or outcome, model=request.model, device=request.device,
        plan=request.plan, predicted=_figures(1), measured=figures,
        error=None if measured is None else 0.0, steps=1, losses=(float(measured or 0),),
        step_seconds=(1.0,), seconds=1.0, notes=("both say so",),
    )  # fmt: skip


def test_a_run_has_started_when_every_rank_has(request_: RunRequest) -> None:
    gathering = Gathering(request_, process_id=7)
    assert gathering.take(1, _started(request_, 21)) == ()
    progress = RunProgress(seconds=1.0, title="Model built")
    assert gathering.take(1, progress) == ()
    assert gathering.take(0, progress) == ()
    started, told = gathering.take(0, _started(request_, 20))
    assert isinstance(started, RunStarted)
    assert started.process_id == 7
    assert started.predicted == request_.predicted
    assert [rank.process_id for rank in started.ranks] == [20, 21]
    assert told == progress, "of rank 0 alone"


def test_a_step_is_told_when_every_rank_has_made_it(request_: RunRequest) -> None:
    gathering = Gathering(request_, 7)
    for rank in (0, 1):
        gathering.take(rank, _started(request_, rank))
    assert gathering.take(0, _step(10, 2.0, 0.5)) == []
    (step,) = gathering.take(1, _step(30, 4.0, 0.7))
    assert isinstance(step, RunStep)
    assert (step.rank, step.peak_bytes, step.rank_peaks_bytes) == (1, 30, (10, 30))
    assert (step.loss, step.step_seconds) == (3.0, 0.7)


def test_ranks_without_a_loss_do_not_count(request_: RunRequest) -> None:
    gathering = Gathering(request_, 7)
    for rank in (0, 1):
        gathering.take(rank, _started(request_, rank))
    gathering.take(0, _step(10, None, 0.5))
    (step,) = gathering.take(1, _step(3, 4.0, 0.7))
    assert isinstance(step, RunStep)
    assert (step.rank, step.loss) == (0, 4.0)


def test_samples_carry_their_rank(request_: RunRequest) -> None:
    gathering = Gathering(request_, 7)
    for rank in (0, 1):
        gathering.take(rank, _started(request_, rank))
    sample = RunSample(
        seconds=1.0, allocated_bytes=1, highest_bytes=1, reserved_bytes=None, device_bytes=None,
        phase="forward", step=1, micro_batch=0,
    )  # fmt: skip
    (told,) = gathering.take(1, sample)
    assert isinstance(told, RunSample)
    assert told.rank == 1


def test_the_figures_of_a_run_are_the_fullest_ranks(request_: RunRequest) -> None:
    gathering = Gathering(request_, 7)
    gathering.take(0, _result(request_, "finished", 90))
    assert not gathering.complete
    gathering.take(1, _result(request_, "finished", 99))
    assert gathering.complete
    assert not gathering.trouble
    whole = gathering.whole()
    assert whole.measured == _figures(99)
    assert [rank.measured for rank in whole.ranks] == [_figures(90), _figures(99)]
    assert whole.losses == (94.5,)
    assert whole.notes == ("both say so",)


def test_a_rank_that_misses_another_is_not_to_blame(request_: RunRequest) -> None:
    gathering = Gathering(request_, 7)
    lost = "RuntimeError: [gloo] Connection closed by peer [127.0.0.1]:1234"
    gathering.take(0, _result(request_, "failed", None, lost))
    assert gathering.trouble
    gathering.take(1, _result(request_, "failed", None, "ValueError: no such token"))
    assert gathering.to_blame() == 1
    assert gathering.failed(1).sentence == ("Rank 1 of 2 ended the run: ValueError: no such token")


def test_a_rank_that_is_gone_is_to_blame_before_one_that_says_so(request_: RunRequest) -> None:
    gathering = Gathering(request_, 7)
    gathering.take(0, _result(request_, "failed", None, "Connection reset by peer"))
    gathering.end(0)
    gathering.end(1)
    assert gathering.to_blame() == 1
    sentence = gathering.died(1, 3, ["the licence has run out"]).sentence
    assert sentence.startswith("Rank 1 of 2 ended the run: ")
    assert "exit code 3" in sentence
    assert "the licence has run out" in sentence


@given(
    tensor=st.sampled_from((1, 2)),
    pipeline=st.sampled_from((1, 2, 3)),
    data=st.integers(1, 4),
    replicas=st.sampled_from((1, 2)),
)
def test_every_micro_batch_goes_to_one_model_parallel_group(
    tensor: int, pipeline: int, data: int, replicas: int
) -> None:
    data *= replicas
    section = Sharding(
        cards_per_node=tensor * pipeline * data, tensor=tensor, pipeline=pipeline,
        data="zero_3", replicas=replicas,
    )  # fmt: skip
    places = [data_place(section, rank) for rank in range(section.ranks)]
    assert sorted(places) == sorted(list(range(data)) * tensor * pipeline)
    taken = {
        place: list(islice(own_batches(count(), section, rank), 3))  # type: ignore[arg-type]  # numbers for batches
        for rank, place in enumerate(places)
    }
    assert sorted(chain(*taken.values())) == list(range(3 * data))


def test_what_this_machine_cannot_run_is_refused(cpu: Device) -> None:
    two_nodes = TWO.with_values({"sharding.nodes": 2})
    with pytest.raises(RunError, match=r"2 machines, .* export it \(slurm, script or accelerate\)"):
        check_ranks(two_nodes, cpu, save=False)
    card = Device(name="A card", kind="cuda", memory_bytes=2**30, index=0, local=True)
    with pytest.raises(RunError, match=r"takes 2 cards, .*--device cpu"):
        check_ranks(TWO, card, save=False)
    with pytest.raises(RunError, match="saved by a run on one card"):
        check_ranks(TWO, cpu, save=True)
    with pytest.raises(RunError, match=r"inference.use=generation runs on one card"):
        check_ranks(TWO.with_values({"inference.use": "generation"}), cpu, save=False)
    check_ranks(TWO, cpu, save=False)
    assert device_for("auto", TWO).kind == "cpu"


def test_ranks_share_this_machines_memory(cpu: Device) -> None:
    ranks = tuple(RankRun(rank=rank, predicted=_figures(600)) for rank in (0, 1))
    small = cpu.model_copy(update={"memory_bytes": 1000, "used_bytes": 0})
    with pytest.raises(RunError, match=r"The 2 ranks take .* together, but CPU has"):
        check_host_memory(ranks, small)
    check_host_memory(ranks, small.model_copy(update={"memory_bytes": 1200}))


def test_ranks_that_do_not_go_with_the_degrees_are_refused(llama: Any) -> None:
    changes = PlanChanges(None, ["sharding.tensor=2"], None, None, 3)
    with pytest.raises(PlanError, match=r"--ranks 3 does not go .* choose 2 or 4"):
        changes.plan(llama)
    assert PlanChanges(None, ["sharding.tensor=2"], None, None, 4).plan(llama).sharding.ranks == 4
    with pytest.raises(PlanError, match=r"--ranks 2 contradicts sharding.cards_per_node=4"):
        PlanChanges(None, ["sharding.cards_per_node=4"], None, None, 2).plan(llama)
    with pytest.raises(PlanError, match="precision"):
        PlanChanges(None, ["precision=fp99"], None, None, 2).plan(llama)


def test_a_rank_hears_what_was_said_before_it_came(
    monkeypatch: pytest.MonkeyPatch, join: Callable[[int], Any]
) -> None:
    heard: list[tuple[int, str | None]] = []
    ended = Event()

    def on_line(rank: int, line: str | None) -> None:
        heard.append((rank, line))
        if line is None:
            ended.set()

    ranks = Ranks(on_line)
    for name, value in ranks.start().items():
        monkeypatch.setenv(name, value)
    ranks.say("first")
    requests, answers = join(3)
    ranks.say("second")
    assert [requests.readline(), requests.readline()] == ["first\n", "second\n"]
    answers.write(b"an answer\n")
    answers.close()
    requests.close()
    assert ended.wait(5)
    assert heard == [(3, "an answer\n"), (3, None)]
    ranks.close()


@pytest.fixture
def join(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """``join_as`` that leaves this process's own streams alone."""
    monkeypatch.setattr("memplanner.run.ranks_channel.os.dup2", lambda old, new: new)
    return join_as


def test_who_does_not_know_the_secret_is_none_of_the_ranks() -> None:
    heard: list[Any] = []
    ranks = Ranks(lambda rank, line: heard.append(line))
    port = int(ranks.start()["MEMPLANNER_RANKS_PORT"])
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(b"guess events 0\nan answer\n")
        stranger.settimeout(5)
        with suppress(ConnectionResetError):  # or closed in good order
            assert stranger.recv(1) == b""
    assert heard == []
    ranks.close()


def test_a_step_of_a_lasting_watch_counts_from_where_it_began() -> None:
    watch = StorageWatch(torch.nn.Identity())
    watch.size_bytes = [100, 10, 5]
    watch.events = [1, -1, 2, 3]
    assert highest_of(watch) == 100
    assert highest_of(watch, since=2) == 15
    assert highest_of(watch, first=2) == 5
