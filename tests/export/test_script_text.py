"""The text of scripts, against golden files.

``MEMPLANNER_WRITE_GOLDEN=1 pytest tests/export`` writes them anew; read the difference.
"""

from __future__ import annotations

import ast
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import ExportError, PlanError
from memplanner.export import render
from memplanner.export.python_source import Imports, literal, string
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.model.presets import presets
from memplanner.plan import Plan

GOLDEN = Path(__file__).parent / "golden"
RULES = "A,B,C4,E,F,I,N,PERF,PIE,RUF,SIM,UP,W"
EVERYTHING: dict[str, object] = {
    "training.batch_size": 4,
    "training.gradient_accumulation_steps": 8,
    "training.zero_grad": "before_backward",
    "training.outputs": "until_loss",
    "optimizer.implementation": "fused",
    "precision": "fp16_mixed",
    "attention.kernel": "flash",
    "activation_checkpointing.policy": "selective",
    "adapters.method": "lora",
    "adapters.rank": 8,
}
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "llama": ("llama", {}),
    "llama_with_everything": ("llama", EVERYTHING),
    "trained_llama": ("trained", {"precision": "fp32", "attention.kernel": "eager"}),
    "recipe": (
        "cnn.py",
        {"precision": "bf16", "optimizer.name": "sgd", "optimizer.momentum": 0.9},
    ),
    "preset_t5": (
        "preset:t5-small",
        {
            "precision": "bf16_mixed",
            "activation_checkpointing.policy": "every_n",
            "training.outputs": "until_next_output",
            "training.zero_grad": "before_forward",
        },
    ),
    "llama_saving": (
        "llama",
        {
            "optimizer.update": "in_backward",
            "training.zero_grad": "before_backward",
            "loss.method": "chunked",
            "activation_offload.to": "host",
            "precision": "bf16_mixed",
        },
    ),
    "llama_on_host": (
        "llama",
        {
            "precision": "bf16",
            "offload.optimizer": "host",
            "offload.parameters": "host",
            "activation_checkpointing.policy": "budget",
            "activation_checkpointing.budget_mib": 1,
            "loss.method": "recomputed",
            "training.batch_size": 8,
        },
    ),
    "preset_vit": ("preset:vit-b-16", {"activation_checkpointing.policy": "full"}),
    "importable": (
        "tests.export.importable:Net",
        {"adapters.method": "lora", "adapters.alpha": 4.5, "optimizer.name": "adafactor"},
    ),
}
INPUTS = {"importable": ("ids=BxS:int64", "scale=1:float32", "flag=B:bool")}


def script(case: str, models: Path, device: Device) -> str:
    source, changes = CASES[case]
    place = models / source
    model = load(place if place.exists() else source, inputs=INPUTS.get(case, ()))
    text = render("script", model, Plan().with_values(changes), device).files[0].text
    return text.replace(str(models), "/models")


@pytest.mark.parametrize("case", CASES)
def test_a_script_is_as_it_was(case: str, models: Path, card: Device) -> None:
    text, path = script(case, models, card), GOLDEN / f"{case}.py"
    if os.environ.get("MEMPLANNER_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_scripts_are_clean(tmp_path: Path, models: Path, card: Device, cpu: Device) -> None:
    for case in CASES:
        (tmp_path / f"{case}.py").write_text(script(case, models, card))
    (tmp_path / "on_cpu.py").write_text(script("llama", models, cpu))
    options = ["--isolated", "--line-length", "100", "--no-cache", str(tmp_path)]
    for command in (["check", "--select", RULES], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_only_what_the_plan_uses_is_in_it(models: Path, cpu: Device) -> None:
    text = script("llama", models, cpu)
    for word in (
        "autocast",
        "scaler",
        "checkpoint",
        "lora",
        "sdpa_kernel",
        "ACCUMULATION",
        "islice",
    ):
        assert word not in text
    assert "memplanner" not in text.partition('"""\n')[2]


def test_positions_limit_the_sequence(card: Device) -> None:
    plan = Plan().with_values({"training.sequence_length": 4096})
    text = render("script", load("preset:gpt2"), plan, card).files[0].text
    assert "SEQUENCE_LENGTH = 1024\n" in text
    assert "4096 is beyond the model's positions" in " ".join(text.split())


def test_weights_alone_have_no_script(tmp_path: Path, models: Path, card: Device) -> None:
    file = tmp_path / "bare.safetensors"
    file.write_bytes((models / "trained" / "model.safetensors").read_bytes())
    with pytest.raises(ExportError, match=r"bare.safetensors holds weights alone.*config.json"):
        render("script", load(file), Plan(), card)


def test_weights_under_another_name_are_loaded_from_their_file(
    tmp_path: Path, models: Path, card: Device
) -> None:
    file = tmp_path / "other.safetensors"
    file.write_bytes((models / "trained" / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_bytes((models / "trained" / "config.json").read_bytes())
    text = render("script", load(file), Plan(), card).files[0].text
    assert f'WEIGHTS = "{file}"\n' in text
    assert "load_model(model, WEIGHTS, strict=False)\n" in text


OWN = """
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel


class OwnConfig(PretrainedConfig):
    model_type = "own-thing"

    def __init__(self, vocab_size=50, width=16, **others):
        self.vocab_size, self.width = vocab_size, width
        super().__init__(**others)


class OwnForCausalLM(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.table = nn.Embedding(config.vocab_size, config.width)
        self.post_init()

    def forward(self, input_ids, labels=None):
        return {"loss": self.table(input_ids).sum()}
"""
AUTO_MAP = {"AutoConfig": "own_code.OwnConfig", "AutoModelForCausalLM": "own_code.OwnForCausalLM"}


def test_code_that_comes_with_a_model_is_trusted_in_so_many_words(
    tmp_path: Path, card: Device
) -> None:
    config = {"model_type": "own-thing", "architectures": ["OwnForCausalLM"], "auto_map": AUTO_MAP}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own_code.py").write_text(OWN)
    text = render("script", load(tmp_path, trust_code=True), Plan(), card).files[0].text
    assert "config = AutoConfig.from_pretrained(MODEL, trust_remote_code=True)\n" in text
    assert "AutoModelForCausalLM.from_config(config, trust_remote_code=True)\n" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activation_checkpointing.policy": "full"}, "needs repeated blocks"),
        ({"attention.kernel": "cudnn"}, "exists on CUDA cards only"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_has_no_script(
    tmp_path: Path, cpu: Device, changes: dict[str, object], words: str
) -> None:
    recipe = tmp_path / "one.py"
    recipe.write_text(
        "import torch\n"
        "def model(): return torch.nn.Linear(2, 2)\n"
        "def batch(b, s): return {'input': torch.ones(b, 2)}\n"
    )
    with pytest.raises(PlanError, match=words):
        render("script", load(recipe), Plan().with_values(changes), cpu)


@pytest.mark.parametrize("preset", [preset.name for preset in presets()])
def test_a_presets_configuration_stands_in_its_script(preset: str, card: Device) -> None:
    model = load(f"preset:{preset}")
    plan = Plan().with_values({"adapters.method": "lora", "training.batch_size": 3})
    text = render("script", model, plan, card).files[0].text
    tree = ast.parse(text)
    (config,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CONFIG"
    )
    model_class = getattr(transformers, model.class_name)
    made = model_class.config_class(**config).to_dict()
    assert len(config) < 45
    for key, value in model.config.items():
        assert key == "architectures" or made.get(key) == value


def test_odd_names_stay_inside_their_strings(llama: Model, card: Device) -> None:
    odd = replace(llama, name='x"""\nimport os\\', source="a\n#b")
    for target in ("script", "plan", "accelerate"):
        text = render(target, odd, Plan(), card).files[0].text
        assert "\nimport os\\" not in text
        if target == "script":
            assert isinstance(ast.parse(text).body[0], ast.Expr)
        else:
            assert not any(line.startswith("#b") for line in text.splitlines())


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=120),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=30), inner)
    | st.tuples(inner, inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, st.integers(0, 60))
def test_a_literal_is_the_value(value: Any, before: int) -> None:
    assert ast.literal_eval(literal(value, before=before)) == value


@given(st.text())
def test_a_string_is_the_string(text: str) -> None:
    assert ast.literal_eval(string(text)) == text


def test_numbers_that_are_not_finite_are_spelled() -> None:
    assert math.isnan(eval(literal(math.nan)))  # noqa: S307  (our own text)
    assert literal([math.inf, -math.inf]) == '[float("inf"), float("-inf")]'
    with pytest.raises(ExportError, match="holds set"):
        literal({1})


def test_imports_stand_in_isorts_order() -> None:
    imports = Imports()
    for module, *names in (
        ["torch"], ["torch", "nn"], ["sys"], ["pathlib", "Path"],
        ["m", "zeta", "Alpha", "BETA"],
    ):  # fmt: skip
        imports.add(module, *names)
    assert imports.source() == (
        "import sys\nfrom pathlib import Path\n\n"
        "import torch\nfrom m import BETA, Alpha, zeta\nfrom torch import nn\n"
    )
