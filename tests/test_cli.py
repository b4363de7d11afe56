"""The terminal: what it prints, its exit codes, and the one sentence for each mistake."""

from __future__ import annotations

import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

import memplanner as mp
from memplanner.cli.commands import app
from memplanner.cli.interrupt import stopped_by_interrupt
from memplanner.cli.words import RunPrinter
from memplanner.errors import MemplannerError
from memplanner.export import targets
from memplanner.messages.estimate import CATEGORIES, Estimate
from memplanner.messages.run import RunEvent, RunFigures, RunResult, RunStep
from memplanner.plan.file import read_plan, write_plan
from memplanner.run.request import read_event
from tests.run.recipes import write_recipe

TOP = ["schema", "model", "device", "plan", "peak", "layers", "timeline", "fits", "spare_bytes",
       "method", "notes", "seconds"]  # fmt: skip
PEAK = ["allocated_bytes", "reserved_bytes", "device_bytes", "phase", "module", "by_category"]
MODEL = {"name", "class", "parameters", "trainable_parameters"}
LAYER = {"name", "type", *(f"{category}_bytes" for category in CATEGORIES)}

LOUD = """
import os
import torch
from torch import nn

print("printed at import")
os.write(1, b"written at import\\n")


class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        print("printed in model")
        self.table = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 50)

    def forward(self, ids):
        print("printed in forward")
        os.write(1, b"written in forward\\n")
        return self.head(self.table(ids)).square().mean()


def model():
    return Loud()


def batch(batch_size, sequence_length):
    return {"ids": torch.randint(0, 50, (batch_size, sequence_length))}
"""


def memplanner(*arguments: str | Path) -> Result:
    """Runs a command in this process. Whatever it raised but its own exit is a defect."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def started(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command as the terminal does."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "memplanner", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **{"stdout": subprocess.PIPE, **options},
    )


def estimated(*arguments: str | Path) -> dict[str, Any]:
    result = memplanner("estimate", *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def assert_one_sentence(exit_code: int, stdout: str, stderr: str, *words: str) -> None:
    assert (exit_code, stdout) == (2, ""), stderr
    assert stderr.count("\n") == 1, stderr
    assert stderr.endswith((".\n", "?\n"))
    assert "Traceback" not in stderr
    for word in words:
        assert word in stderr


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


def test_a_preset_has_its_published_size_and_reads_back() -> None:
    values = estimated("preset:smollm2-135m", "--device", "H100 80GB")
    message = Estimate.model_validate(values)

    assert values["model"]["class"] == "LlamaForCausalLM"
    assert message.model.trainable_parameters == 134_515_008
    assert message.peak.by_category.parameters == 2 * 134_515_008
    assert message.spare_bytes == (message.device.free_bytes or 0) - message.peak.allocated_bytes
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


def test_the_device_follows_the_option_and_else_what_is_here(tiny: Path) -> None:
    assert estimated(tiny)["device"]["local"] is True
    assert estimated(tiny, "--device", "cpu")["device"]["kind"] == "cpu"
    card = estimated(tiny, "--device", "h100  80gb")["device"]
    assert (card["name"], card["kind"], card["local"]) == ("H100 80GB", "cuda", False)


def test_the_words_say_whether_it_fits_and_where_the_peak_is() -> None:
    def words(card: str) -> str:
        return memplanner("estimate", "preset:llama-3.1-8b", "--device", card).stdout

    fits = words("H100 80GB")
    assert fits.startswith("llama-3.1-8b, 8.03 B parameters, 8.03 B trained\nFits, ")
    assert " to spare\nPeak 75.3 GiB on H100 80GB, in optimizer step, " in fits
    for category in CATEGORIES:
        assert f"\n{category.replace('_', ' ')} " in fits
    assert "32 alike" in fits
    assert "recorded on meta tensors" in fits
    assert "\nNote: Allocated memory only" in fits
    assert "\nDoes not fit: 5" in words("RTX 4090")


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
    assert len(found) == 23
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
    assert all(f"{target} cannot say: " in line for line in written.stderr.splitlines())


def test_every_target_goes_into_a_folder_under_its_own_name(tiny: Path, tmp_path: Path) -> None:
    names = {target.name: target.file_name for target in targets()}
    assert {"plan", "accelerate", "script"} <= names.keys()
    for name, file_name in names.items():
        shown = memplanner("export", tiny, "--target", name, "--output", f"{tmp_path}/")
        assert shown.stdout == f"Wrote {tmp_path / file_name}\n"


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
    assert shown.startswith("loud on CPU, generated")
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

    monkeypatch.setattr("memplanner.run.apply", apply)
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


# --- bad input ---


def _config(folder: Path, text: str) -> Path:
    path = folder / "config.json"
    path.write_text(text)
    return path


def _file(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return write


_TENSOR = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
_RECIPE_BATCH = "def batch(batch_size, sequence_length):\n    return {}\n"

BAD_SOURCES: dict[str, Callable[[Path], str | Path]] = {
    "a preset that is none": lambda _: "preset:llama-9",
    "no such file": lambda folder: folder / "missing.safetensors",
    "an empty folder": lambda folder: folder,
    "a pickle": _file("weights.pt", pickle.dumps([1])),
    "a pickle by another name": _file("weights.safetensors", pickle.dumps([1])),
    "a file of no known kind": _file("model.onnx", b"model"),
    "a cut-off header": _file("cut.safetensors", struct.pack("<Q", 500) + _TENSOR),
    "cut-off weights": _file("cut.safetensors", struct.pack("<Q", len(_TENSOR)) + _TENSOR + b"1"),
    "a lying GGUF": _file("lie.gguf", b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60)),
    "a cut-off GGUF": _file("cut.gguf", b"GGUF\x03"),
    "a JSON bomb": lambda folder: _config(folder, "[" * 500_000),
    "a JSON bomb in an object": lambda folder: _config(
        folder, '{"a":' * 100_000 + "1" + "}" * 100_000
    ),
    "no JSON": lambda folder: _config(folder, "{model_type: llama}"),
    "an unknown architecture": lambda folder: _config(
        folder, '{"model_type": "abacus", "architectures": ["AbacusForCausalLM"]}'
    ),
    "an absurd size": lambda folder: _config(
        folder, '{"model_type": "llama", "num_hidden_layers": 1000000000}'
    ),
    "a recipe that raises": _file("raises.py", b"import torch\nraise ValueError('no\\ngood')\n"),
    "a recipe that exits": _file("exits.py", b"import sys\nsys.exit(3)\n"),
    "a recipe that is no Python": _file("wrong.py", b"def model(:\n"),
    "a recipe without model()": _file("without.py", _RECIPE_BATCH.encode()),
    "a recipe whose model is none": _file(
        "text.py", f"def model():\n    return 'text'\n{_RECIPE_BATCH}".encode()
    ),
    "a zero byte": lambda _: "a\0b",
    "a name that is no text": lambda folder: f"{folder}/\udcff.py",
}


@pytest.mark.parametrize("make", BAD_SOURCES.values(), ids=BAD_SOURCES.keys())
def test_a_source_that_cannot_be_opened_is_one_sentence(
    tmp_path: Path, make: Callable[[Path], str | Path]
) -> None:
    source = make(tmp_path)
    shown = memplanner("estimate", source, "--device", "cpu", "--json")
    name = "preset" if str(source).startswith("preset:") else Path(source).name
    named = name.encode("ascii", "ignore").decode().partition("\0")[0]
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, named)


def test_code_that_comes_with_a_model_needs_an_option(tmp_path: Path) -> None:
    path = _config(tmp_path, '{"model_type": "x", "auto_map": {"AutoModel": "modeling_x.X"}}')
    shown = memplanner("estimate", path, "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "modeling_x.py",
                        "--trust-code")  # fmt: skip


def test_a_hub_id_without_a_network_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shown = memplanner("estimate", "no-such-org/no-such-model", "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "no-such-org/no-such-model",
                        "cannot be reached", "open its folder")  # fmt: skip


BAD_OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "a wrong key": (("--set", "training.batchsize=3"), "training.batch_size"),
    "a wrong section": (("--set", "trainin.batch_size=3"), "trainin"),
    "a section as a key": (("--set", "training=3"), "training"),
    "a wrong value": (("--set", "precision=fp8"), "precision"),
    "a word for a number": (("--set", "training.batch_size=many"), "training.batch_size"),
    "no value": (("--set", "precision"), "KEY=VALUE"),
    "a negative batch": (("--batch-size", "-1"), "training.batch_size"),
    "no sequence": (("--sequence-length", "0"), "training.sequence_length"),
    "an unknown device": (("--device", "H1000"), "H1000"),
    "an ambiguous device": (("--device", "A100"), "name one of them"),
    "no device": (("--device", " "), "No device"),
    "a card that is not here": (("--device", "cuda:99"), "CUDA card"),
}


@pytest.mark.parametrize(("arguments", "words"), BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
def test_a_wrong_option_is_one_sentence(tiny: Path, arguments: tuple[str, ...], words: str) -> None:
    if "cuda:99" in arguments and torch.cuda.is_available():
        words = "cuda:99"
    if "--device" not in arguments:
        arguments = (*arguments, "--device", "cpu")
    shown = memplanner("estimate", tiny, *arguments)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, words)


BAD_PLANS = {
    "a wrong key": ("training: {batchsize: 3}", "batchsize"),
    "a wrong value": ("precision: fp8", "precision"),
    "a newer schema": ("schema: 99", "schema"),
    "no YAML": ("training: [1, 2", "YAML"),
    "a list": ("- 1", ""),
    "a tag": ("precision: !!python/object:os.system x", "tag"),
    "an alias": ("a: &a {b: 1}\nc: *a", "alias"),
}


@pytest.mark.parametrize(("text", "words"), BAD_PLANS.values(), ids=BAD_PLANS.keys())
def test_a_wrong_plan_is_one_sentence_that_names_the_file(
    tiny: Path, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    shown = memplanner("estimate", tiny, "--device", "cpu", "--plan", file)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(file), words)


def test_a_plan_that_is_not_there_is_named_before_the_model_opens(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    shown = memplanner("estimate", "preset:none", "--device", "cpu", "--plan", file)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(file))


@pytest.mark.parametrize("text", ["x", "x=", "x=2xQ:int64", "x=2x3:int65", "=2:int64", "x=-1"])
def test_a_malformed_input_is_one_sentence(text: str) -> None:
    shown = memplanner("estimate", "torch.nn:Identity", "--device", "cpu", "--input", text)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr)


@pytest.mark.parametrize("source", ["torch.nn:NoSuch", "no_such_module:Net", "torch.nn:Identity"])
def test_an_importable_that_cannot_be_opened_is_one_sentence(source: str) -> None:
    shown = memplanner("estimate", source, "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, source.partition(":")[2])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ValueError('no\\ngood')", "no"),
        ("raise SystemExit(3)", "SystemExit"),
        ("torch.ones(2) @ torch.ones(3)", "size"),
    ],
)
def test_a_forward_that_raises_is_one_sentence(tmp_path: Path, code: str, words: str) -> None:
    path = tmp_path / "raises.py"
    path.write_text(LOUD.replace("print(", "(").replace("os.write(", "(")
                    .replace('("printed in forward")', code))  # fmt: skip
    shown = memplanner("estimate", path, "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "raises", words)


def test_an_unknown_target_is_one_sentence(tiny: Path) -> None:
    shown = memplanner("export", tiny, "--target", "accelerat", "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "did you mean accelerate")


@pytest.mark.parametrize(
    "output", ["/dev/full", "/proc/plan.yaml", "missing/plan.yaml", "file/plan.yaml", "n" * 300]
)
def test_an_output_that_cannot_be_written_is_one_sentence(
    tiny: Path, tmp_path: Path, output: str
) -> None:
    (tmp_path / "file").write_text("kept")
    path = tmp_path / output  # an absolute one stays
    shown = memplanner("export", tiny, "--target", "plan", "--device", "cpu", "--output", path)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(path))
    assert [other.name for other in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    shown = memplanner("export", tiny, "--target", "plan", "--device", "cpu",
                       "--output", tmp_path / "plan.yaml")  # fmt: skip
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--steps", "0"), "steps"),
        (("--device", "H100 80GB"), "not in this machine"),
        (("--device", "cpu", "--batch-size", "10000000"), "force"),
    ],
)
def test_a_run_that_cannot_start_is_one_sentence(
    loud: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "quiet.py"
    path.write_text(loud.read_text().replace("print(", "(").replace("os.write(", "("))
    shown = memplanner("apply", path, *arguments, "--json")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, words)


def test_an_option_of_the_wrong_type_has_exit_code_2(tiny: Path) -> None:
    shown = memplanner("estimate", tiny, "--batch-size", "two")
    assert shown.exit_code == 2
    assert "Invalid value for '--batch-size'" in shown.stderr


def test_a_full_disk_behind_standard_output_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        shown = started("presets", "--json", stdout=full)
    assert_one_sentence(shown.returncode, "", shown.stderr, "Standard output", "no space left")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    shown = started("presets", "--json", stdout=writing)
    os.close(writing)
    assert (shown.returncode, shown.stderr) == (1, "")


# --- Python ---


def test_a_notebook_has_the_names_of_the_json(tiny: Path) -> None:
    model = mp.load(tiny)
    plan = mp.Plan.model_validate({"precision": "fp32", "training": {"batch_size": 2}})
    estimate = mp.estimate(model, plan, device="cpu")
    values = json.loads(estimate.message().model_dump_json(by_alias=True))

    for name in TOP:
        assert getattr(estimate, name) is not None, name
    assert estimate.peak.allocated_bytes == values["peak"]["allocated_bytes"]
    assert estimate.peak.by_category.total_bytes == estimate.peak.allocated_bytes
    assert estimate.schema == values["schema"]
    assert (model.parameter_count, model.trainable_parameter_count) == (12480, 12480)
    assert mp.Plan.model_validate(values["plan"]) == plan
    assert isinstance(estimate.figures(), RunFigures)


def test_a_notebook_exports(tiny: Path, tmp_path: Path) -> None:
    plan = mp.Plan.model_validate({"training": {"batch_size": 3}})
    written = mp.export(mp.load(tiny), plan, "plan", tmp_path / "plan.yaml")
    assert written == (str(tmp_path / "plan.yaml"),)
    assert read_plan(written[0]) == plan
    with pytest.raises(MemplannerError):
        mp.export(mp.load(tiny), plan, "no such target", tmp_path / "plan.yaml")


_ORDERS = """
import sys
from importlib import import_module
from itertools import permutations

for order in permutations(("estimate", "export", "run", "model")):
    for name in [name for name in sys.modules if name.partition(".")[0] == "memplanner"]:
        del sys.modules[name]
    import memplanner as mp
    for name in order:
        import_module("memplanner." + name)
    import memplanner.estimate, memplanner.export
    assert mp.estimate is memplanner.estimate
    for name in ("load", "estimate", "apply", "export"):
        assert callable(getattr(mp, name)), (order, name)
    assert mp.Plan().training
    assert mp.estimate.__module__ == "memplanner.estimate"
"""


def test_the_functions_stay_callable_in_whatever_order_the_parts_are_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _ORDERS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
