"""A session in this process: ways to end that need no process of their own."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from accelerate.state import AcceleratorState, GradientState, PartialState

import memplanner as mp
from memplanner.hardware import HostMemory
from memplanner.messages.device import Device
from memplanner.messages.run import RunEvent
from memplanner.run.interruption import Interruption
from memplanner.run.request import RunRequest
from memplanner.run.session import Session
from tests.run.conftest import Run
from tests.run.recipes import ABSURD, write_recipe

Start = Callable[..., Run]

ABSURD_ON_A_DEVICE = f"if torch.ones(1).device.type != 'meta': {ABSURD}"


@pytest.fixture
def session(plan: mp.Plan, cpu: Device) -> Iterator[Start]:
    def start(source: Path, planned: mp.Plan = plan, **options: Any) -> Run:
        model = mp.load(source)
        prediction = mp.estimate(model, planned, cpu)
        request = RunRequest(
            source=str(source), inputs=(), trust_code=False, model=prediction.model, plan=planned,
            device=cpu, steps=options.pop("steps", 2), data=options.pop("data", None),
            predicted=prediction.figures(),
        )  # fmt: skip
        events: list[RunEvent] = []
        interruption = Interruption()
        interruption.after_step = options.pop("after_step", False)
        assert not options
        result = Session(request, events.append, interruption).run()
        return Run((*events, result))

    data_limits = resource.getrlimit(resource.RLIMIT_DATA)
    yield start
    resource.setrlimit(resource.RLIMIT_DATA, data_limits)
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()


def test_an_exception_in_forward(session: Start, tmp_path: Path) -> None:
    forward = 'if step == 1: raise ValueError("no such thing\\nas this")'
    source = write_recipe(tmp_path, forward)
    line = source.read_text().splitlines().index("    " + forward) + 1
    result = session(source).result
    assert result.outcome == "failed"
    assert result.sentence == (
        f"tiny failed in forward, blocks.1: ValueError: no such thing (line {line} of tiny.py); "
        "correct its source or the plan."
    )
    assert result.steps == 1


def test_an_exception_of_a_class_of_its_own(session: Start, tmp_path: Path) -> None:
    forward = "class Odd(Exception): pass\nraise Odd"
    result = session(write_recipe(tmp_path, forward)).result
    assert result.outcome == "failed"
    assert "tiny failed in forward, blocks.1: Odd: no message" in result.sentence


def test_an_exception_in_backward(session: Start, tmp_path: Path) -> None:
    result = session(write_recipe(tmp_path, backward='raise ValueError("not here")')).result
    assert result.outcome == "failed"
    assert result.sentence.startswith("tiny failed in backward")
    assert "ValueError: not here" in result.sentence


def test_out_of_memory_in_backward_names_the_module(session: Start, tmp_path: Path) -> None:
    result = session(write_recipe(tmp_path, backward=ABSURD)).result
    assert result.outcome == "out_of_memory"
    assert result.where == "backward, blocks.1"


def test_out_of_memory_in_a_recipes_own_batch(session: Start, tmp_path: Path) -> None:
    source = write_recipe(tmp_path)
    batch = "def batch(batch_size, sequence_length):\n"
    source.write_text(source.read_text().replace(batch, f"{batch}    {ABSURD_ON_A_DEVICE}\n"))
    result = session(source).result
    assert result.outcome == "out_of_memory"
    assert result.missing_bytes is not None


def test_out_of_memory_while_the_model_is_built(session: Start, tmp_path: Path) -> None:
    source = write_recipe(tmp_path)
    made = "def model():\n"
    source.write_text(source.read_text().replace(made, f"{made}    {ABSURD_ON_A_DEVICE}\n"))
    result = session(source).result
    assert result.outcome == "out_of_memory"
    assert result.where == "building the model"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_data_that_cannot_be_read(
    session: Start, llama: Any, tmp_path: Path, content: bytes | None, said: str
) -> None:
    text = tmp_path / "notes.txt"
    if content is not None:
        text.write_bytes(content)
    done = session(Path(llama.source), data=str(text))
    assert done.kinds == ("result",)
    assert done.result.outcome == "failed"
    assert str(text) in done.result.sentence
    assert said in done.result.sentence


def test_training_on_a_text_file(session: Start, llama: Any, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("abab" * 16)  # one batch: the second step sees the first one's tokens
    done = session(Path(llama.source), data=str(text))
    assert done.of("started")[0].data.startswith("notes.txt, 64 ")
    assert done.result.outcome == "finished"
    before, after = done.result.losses
    assert after < before
    assert done.result.error is not None
    assert abs(done.result.error) < 0.01


def test_a_recipe_without_tokens_takes_no_text(session: Start, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("some words")
    result = session(write_recipe(tmp_path), data=str(text)).result
    assert result.outcome == "failed"
    assert "leave the text file out" in result.sentence


def test_a_stop_that_came_before_the_first_step(session: Start, tmp_path: Path) -> None:
    done = session(write_recipe(tmp_path), after_step=True)
    assert done.of("step") == []
    assert done.result.outcome == "stopped"
    assert done.result.sentence == "Stopped before a step was done."


def test_a_card_that_this_torch_cannot_use(
    session: Start, plan: mp.Plan, cpu: Device, tmp_path: Path
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this torch can use a card")
    card = Device(
        name="Some card", kind="cuda", memory_bytes=2**34, index=0, local=True, architecture="9.0"
    )
    source = write_recipe(tmp_path)
    prediction = mp.estimate(mp.load(source), plan, card)
    request = RunRequest(
        source=str(source), inputs=(), trust_code=False, model=prediction.model, plan=plan,
        device=card, steps=1, data=None, predicted=prediction.figures(),
    )  # fmt: skip
    result = Session(request, [].append, Interruption()).run()
    assert result.outcome == "failed"
    assert "install a CUDA build of torch" in result.sentence


def test_little_memory_ends_the_run(
    session: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_signals: None
) -> None:
    monkeypatch.setattr("memplanner.run.sampler.host_memory", lambda: HostMemory(2**34, 2**20))
    monkeypatch.setattr(Interruption, "__init__", _installed)
    result = session(write_recipe(tmp_path, "time.sleep(30)")).result
    assert result.outcome == "out_of_memory"
    assert "about to run out" in result.sentence
    assert "try " in result.sentence
    assert result.missing_bytes is None


_plain = Interruption.__init__


def _installed(interruption: Interruption) -> None:
    """Takes the signals of this process, as the worker does of its own."""
    _plain(interruption)
    interruption.install()
