"""The terminal: what it prints and its exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

import memplanner as mp
from memplanner.cli.interrupt import stopped_by_interrupt
from memplanner.cli.words import RunPrinter
from memplanner.export import targets
from memplanner.messages.estimate import CATEGORIES, Estimate
from memplanner.messages.run import RunEvent, RunResult, RunStep
from memplanner.plan.file import read_plan, write_plan
from memplanner.report.explained import as_text, explanations
from memplanner.run.request import read_event
from tests.run.recipes import write_recipe
from tests.terminal import LOUD, assert_one_sentence, estimated, memplanner, silent, started

TOP = ["schema", "model", "device", "plan", "peak", "layers", "timeline", "fits", "spare_bytes",
       "method", "notes", "seconds", "verdict", "overhead",
       "allocator", "host_bytes", "rank", "ranks", "traffic", "states",
       "parts", "time", "quality"]  # fmt: skip
PEAK = ["allocated_bytes", "reserved_bytes", "device_bytes", "phase", "module", "by_category",
        "device_low_bytes", "device_high_bytes", "calibrated_bytes"]  # fmt: skip
MODEL = {"name", "class", "parameters", "trainable_parameters"}
LAYER = {"name", "type", *(f"{category}_bytes" for category in CATEGORIES)}


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loud") / "loud.py"
    path.write_text(LOUD)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def run(loud: Path) -> subprocess.CompletedProcess[str]:
    return started(
        "apply", loud, "--json", "--device", "cpu", "--steps", "2",
        "--set", "precision=fp32", "--batch-size", "2", "--sequence-length", "16",
    )  # fmt: skip


@pytest.fixture(scope="module")
def events(run: subprocess.CompletedProcess[str]) -> tuple[RunEvent, ...]:
    return tuple(map(read_event.validate_json, run.stdout.splitlines()))


@pytest.fixture(scope="module")
def result(events: tuple[RunEvent, ...]) -> RunResult:
    assert isinstance(events[-1], RunResult)
    return events[-1]


# --- estimate ---


@pytest.mark.parametrize("device", ["cpu", "H100 80GB"])
def test_an_estimate_is_one_object_with_the_keys_of_the_contract(tiny: Path, device: str) -> None:
    values = estimated(tiny, "--device", device)

    assert list(values) == TOP
    assert list(values["peak"]) == PEAK
    assert list(values["peak"]["by_category"]) == list(CATEGORIES)
    assert values["model"].keys() >= MODEL
    assert values["layers"]
    assert all(layer.keys() >= LAYER for layer in values["layers"])
    assert values["schema"] == 1
    assert values["model"]["class"] == "Tiny"
    assert values["model"]["parameters"] == 3 * (64 * 64 + 64)
    assert values["device"]["name"] == ("CPU" if device == "cpu" else device)
    assert values["peak"]["phase"] in {"forward", "backward", "optimizer_step"}
    assert values["fits"] is (values["spare_bytes"] >= 0)
    assert "recorded" in values["method"]
    assert all(note.endswith(".") for note in values["notes"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--device", "cpu"),
        ("--device", "A100 80GB", "--set", "precision=bf16_mixed", "--batch-size", "3"),
        ("--device", "cpu", "--set", "optimizer.name=sgd", "--set", "optimizer.momentum=0.9"),
    ],
)
def test_the_peak_adds_up_by_category_and_layer_by_layer(
    tiny: Path, arguments: tuple[str, ...]
) -> None:
    values = estimated(tiny, *arguments)
    peak = values["peak"]

    assert sum(peak["by_category"].values()) == peak["allocated_bytes"] > 0
    for category, size in peak["by_category"].items():
        assert sum(layer[f"{category}_bytes"] for layer in values["layers"]) == size, category


def test_each_number_of_an_estimate_is_explained_from_what_its_json_says(tiny: Path) -> None:
    message = Estimate.model_validate(estimated(tiny, "--device", "H100 80GB"))
    said = memplanner("estimate", tiny, "--device", "H100 80GB", "--explain")

    assert said.stdout.strip() == as_text(explanations(message))
    assert "Optimizer state at the peak: " in said.stdout


def test_a_preset_has_its_published_size_and_reads_back() -> None:
    values = estimated("preset:smollm2-135m", "--device", "H100 80GB")
    message = Estimate.model_validate(values)

    assert values["model"]["class"] == "LlamaForCausalLM"
    assert message.model.trainable_parameters == 134_515_008
    assert message.peak.by_category.parameters == 2 * 134_515_008
    peak, memory = message.peak, message.device.memory_bytes or 0
    assert message.spare_bytes == memory - (peak.device_bytes or 0)
    low, high = peak.device_low_bytes or 0, peak.device_high_bytes or 0
    assert peak.allocated_bytes < (peak.reserved_bytes or 0) < low < (peak.device_bytes or 0) < high
    assert message.verdict == "fits"
    assert "30 blocks" in message.method


def test_options_win_over_set_and_set_over_the_file(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    values = {"precision": "fp32", "training": {"batch_size": 5, "sequence_length": 6}}
    write_plan(mp.Plan.model_validate(values), file)

    def sizes(*arguments: str | Path) -> tuple[int, int, str]:
        plan = estimated(tiny, "--device", "cpu", *arguments)["plan"]
        return (
            plan["training"]["batch_size"],
            plan["training"]["sequence_length"],
            plan["precision"],
        )

    batch_3 = ("--set", "training.batch_size=3")
    assert sizes("--plan", file) == (5, 6, "fp32")
    assert sizes("--plan", file, *batch_3) == (3, 6, "fp32")
    assert sizes("--batch-size", "2", "--plan", file, *batch_3) == (2, 6, "fp32")
    assert sizes("--plan", file, "--sequence-length", "7", "--set", "precision = bf16") == (
        5, 7, "bf16",
    )  # fmt: skip
    assert sizes(*batch_3, "--set", "training.batch_size=4")[0] == 4


@pytest.mark.parametrize("refused", ["ids.shape[1] > 16", "tuple(ids.shape) != (2, 16)"])
def test_a_model_that_takes_no_longer_sequence_is_estimated_at_its_longest(
    tmp_path: Path, refused: str
) -> None:
    path = tmp_path / "strict.py"
    guard = f"assert not ({refused}), 'not of that shape'"
    path.write_text(silent(LOUD).replace('("printed in forward")', guard))
    values = estimated(path, "--device=cpu", "--batch-size=2", "--sequence-length=16")
    assert values["peak"]["by_category"]["inputs"] == 2 * 16 * 8
    shown = memplanner("estimate", path, "--device=cpu", "--batch-size=2", "--sequence-length=17")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "not of that shape")


def test_the_device_follows_the_option_and_else_what_is_here(tiny: Path) -> None:
    assert estimated(tiny)["device"]["local"] is True
    assert estimated(tiny, "--device", "cpu")["device"]["kind"] == "cpu"
    card = estimated(tiny, "--device", "h100  80gb")["device"]
    assert (card["name"], card["kind"], card["local"]) == ("H100 80GB", "cuda", False)


def test_the_words_say_whether_it_fits_and_where_the_peak_is() -> None:
    def words(card: str) -> str:
        return memplanner("estimate", "preset:llama-3.1-8b", "--device", card).stdout

    fits = words("H200")
    assert fits.startswith("llama-3.1-8b, 8.03 B parameters, 8.03 B trained\nFits, ")
    assert " to spare\nPeak 75.3 GiB on H200 141GB, in optimizer step, " in fits
    for category in CATEGORIES:
        listed = f"\n{category.replace('_', ' ')} " in fits
        assert listed == (category not in {"kv_cache", "communication"}), category
    assert "32 alike" in fits
    assert "recorded on meta tensors" in fits
    for row in ("held back by the allocator", "CUDA context", "device"):
        assert f"\n{row} " in fits
    assert "\nDoes not fit: 5" in words("RTX 4090")
    assert "\nDoes not fit: " in words("H100 80GB"), "75.3 GiB allocated, and a context beside it"


def test_names_with_brackets_and_colons_are_printed_as_they_are(tmp_path: Path) -> None:
    path = write_recipe(tmp_path).rename(tmp_path / "[red]:smile:[b].py")
    shown = memplanner("estimate", path, "--device", "cpu").stdout
    assert shown.startswith("[red]:smile:[b], ")


def test_what_a_model_prints_goes_to_standard_error(loud: Path) -> None:
    shown = memplanner("estimate", loud, "--device", "cpu", "--json")
    assert json.loads(shown.stdout)["model"]["class"] == "Loud"
    assert "printed at import" in shown.stderr
    assert "printed in forward" in shown.stderr


# --- devices, presets, help ---


def test_devices_lists_this_machine_and_the_catalogue() -> None:
    found = json.loads(memplanner("devices", "--json").stdout)
    assert any(device["local"] and device["kind"] == "cpu" for device in found)
    shown = memplanner("devices").stdout
    assert all(device["name"] in shown for device in found)
    assert "CPU (this machine)" in shown


def test_all_23_presets_are_listed() -> None:
    found = json.loads(memplanner("presets", "--json").stdout)
    assert len(found) == 25
    shown = memplanner("presets").stdout
    for preset in found:
        assert f"preset:{preset['name']} " in shown
        assert preset["class"]


def test_help_names_every_command_and_option() -> None:
    shown = memplanner("--help").stdout
    for command in ("estimate", "apply", "export", "devices", "presets", "gui"):
        assert f"\n  {command} " in shown
    shown = memplanner("estimate", "--help").stdout
    for option in ("plan", "set", "batch-size", "sequence-length", "device", "json", "input"):
        assert f"--{option} " in shown


# --- export ---


@pytest.mark.parametrize("target", ["plan", "accelerate", "script"])
def test_an_export_is_printed_or_written_the_same(tiny: Path, tmp_path: Path, target: str) -> None:
    asked = ("export", tiny, "--target", target, "--device", "cpu", "--batch-size", "3")
    printed = memplanner(*asked)
    assert printed.exit_code == 0
    assert printed.stdout

    file = tmp_path / "exported.txt"
    written = memplanner(*asked, "--output", file)
    assert written.stdout == f"Wrote {file}\n"
    assert file.read_text() == printed.stdout
    assert list(tmp_path.iterdir()) == [file]
    assert written.stderr == printed.stderr
    told = [line for line in written.stderr.splitlines() if f"{target} cannot say: " not in line]
    assert len(told) == (target == "accelerate"), told  # the peak of what it launches


def test_every_target_goes_into_a_folder_under_its_own_name(tiny: Path, tmp_path: Path) -> None:
    names = {target.name: target.file_name for target in targets()}
    assert {"plan", "accelerate", "script"} <= names.keys()
    for name, file_name in names.items():
        shown = memplanner("export", tiny, "--target", name, "--output", f"{tmp_path}/")
        if name in ("trl", "axolotl", "llama_factory", "torchtitan"):  # which make no recipe
            assert shown.exit_code == 2
            continue
        wrote = shown.stdout.splitlines()
        assert f"Wrote {tmp_path / file_name}" in wrote
        assert len(wrote) == (2 if name == "slurm" else 1)  # with the script that it starts


def test_an_exported_plan_reopens_with_everything_intact(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    changes = ("--set", "optimizer.name=sgd", "--set", "optimizer.momentum=0.5", "--batch-size=7")
    memplanner("export", tiny, "--target", "plan", "--output", file, *changes)

    plan = read_plan(file)
    assert plan.training.batch_size == 7
    assert (plan.optimizer.name, plan.optimizer.momentum) == ("sgd", 0.5)
    again = estimated(tiny, "--device", "cpu", "--plan", file)
    assert again["plan"] == plan.to_dict()


# --- apply ---


def test_a_run_prints_json_lines_alone_and_last_its_result(
    run: subprocess.CompletedProcess[str], events: tuple[RunEvent, ...], result: RunResult
) -> None:
    assert run.returncode == 0
    kinds = [json.loads(line)["kind"] for line in run.stdout.splitlines()]
    assert kinds[0] == "started"
    assert kinds.count("step") == 2
    assert kinds.count("result") == 1
    assert kinds[-1] == "result"
    for words in ("printed at import", "written at import", "printed in model",
                  "written in forward"):  # fmt: skip
        assert words in run.stderr
    assert "profiler" not in run.stderr

    last = json.loads(run.stdout.splitlines()[-1])
    assert (last["outcome"], last["steps"], len(last["losses"])) == ("finished", 2, 2)
    assert last["predicted"].keys() == last["measured"].keys()
    for figures in (last["predicted"], last["measured"]):
        assert list(figures["by_category"]) == list(CATEGORIES)
        assert sum(figures["by_category"].values()) == figures["allocated_bytes"]
    assert last["predicted"]["allocated_bytes"] == pytest.approx(
        last["measured"]["allocated_bytes"], rel=0.01
    )
    assert list(result.losses) == [event.loss for event in events if isinstance(event, RunStep)]


def test_a_run_in_words_ends_with_predicted_against_measured(events: tuple[RunEvent, ...]) -> None:
    stream = StringIO()
    printer = RunPrinter(stream, as_json=False)
    for event in events:
        printer.event(event)
    shown = stream.getvalue()
    assert shown.startswith("loud on CPU, the recipe's own batches\n")
    assert "\nStep 1: loss " in shown
    assert "\nStep 2: loss " in shown
    assert "\nFinished 2 steps.\n" in shown
    assert shown.index("Predicted") < shown.index("Measured") < shown.index("\nallocated ")
    assert "optimizer step" in shown


def test_a_sentence_with_brackets_is_printed_as_it_is(result: RunResult) -> None:
    stream = StringIO()
    words = "It failed ([/bold] of list[int] at :x:); correct the code."
    changed = result.model_copy(update={"outcome": "failed", "sentence": words, "measured": None})
    RunPrinter(stream, as_json=False).event(changed)
    assert words in stream.getvalue()


def test_a_loss_that_is_no_number_stays_valid_json(result: RunResult) -> None:
    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    stream = StringIO()
    losses = (1.5, float("nan"), float("inf"))
    RunPrinter(stream, as_json=True).event(result.model_copy(update={"losses": losses}))
    values = json.loads(stream.getvalue(), parse_constant=refuse)
    assert values["losses"] == [1.5, "NaN", "Infinity"]
    again = read_event.validate_json(stream.getvalue())
    assert isinstance(again, RunResult)
    assert [str(loss) for loss in again.losses] == ["1.5", "nan", "inf"]


@pytest.mark.parametrize(
    ("outcome", "exit_code"),
    [("finished", 0), ("stopped", 0), ("failed", 1), ("out_of_memory", 1)],
)
def test_the_exit_code_of_a_run_is_its_outcome(
    result: RunResult, tiny: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, exit_code: int
) -> None:
    ended = result.model_copy(update={"outcome": outcome})

    def apply(*_: object, on_event: Callable[[RunEvent], None], **__: object) -> RunResult:
        on_event(ended)
        return ended

    monkeypatch.setattr("memplanner.run.process.apply", apply)
    shown = memplanner("apply", tiny, "--device", "cpu", "--json")
    assert shown.exit_code == exit_code
    assert json.loads(shown.stdout)["outcome"] == outcome


def test_interrupts_stop_after_the_step_then_now_then_for_good(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[bool] = []

    def wait_for(count: int) -> None:
        until = time.monotonic() + 5
        while len(asked) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(asked) == count

    before = signal.getsignal(signal.SIGINT)
    with stopped_by_interrupt() as stop, stop.heard_by(asked.append):
        signal.raise_signal(signal.SIGINT)
        wait_for(1)
        signal.raise_signal(signal.SIGINT)
        wait_for(2)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert asked == [False, True]
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().err.count("Stopping ") == 2
