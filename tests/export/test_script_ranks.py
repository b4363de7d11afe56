"""Scripts of plans that split inside the model: what they bring along, and their peak as they run.

Each rank runs the script's own ``main`` in one process of a world, and apply's own loop in another
one; torchrun itself starts the one that combines most.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.distributed as dist
import transformers
from safetensors.torch import load_file

from memplanner.errors import PlanError
from memplanner.export import export, render
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.backend import recomputation
from memplanner.run.ranks_session import RankBackend, own_batches
from memplanner.run.sampler import Position
from memplanner.run.trainer import Trainer
from memplanner.techniques.parallel.mesh import data_place
from memplanner.techniques.prepare import prepare
from memplanner.techniques.target import Target
from tests.export.conftest import TINY
from tests.export.test_script_text import RULES
from tests.rank_world import on_ranks
from tests.truth.real_ranks import RankBirths, _standing

STEPS = 6
FIRST_STEADY = 2
"""The optimizer's state and DDP's last buckets are there before it. The lowest peak from there on
counts: gloo's own thread may hold what it sends a little longer, never less."""
CPU = torch.device("cpu")
TWO: dict[str, object] = {
    "sharding.cards_per_node": 2, "training.batch_size": 2, "training.sequence_length": 24,
}  # fmt: skip
FOUR = {**TWO, "sharding.cards_per_node": 4}
STAGED = {"sharding.pipeline": 2, "training.gradient_accumulation_steps": 2}
ENOUGH = {"training.gradient_accumulation_steps": 8}
FULL = {"activation_checkpointing.policy": "full"}
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "tensor": ("llama", {**TWO, "sharding.tensor": 2, "sharding.sequence_parallel": True, **FULL}),
    "pipeline": ("llama", {**TWO, **STAGED, "training.zero_grad": "before_backward"}),
    "context": (
        "llama",
        {**TWO, "sharding.context": 2, "sharding.context_rotation": "all_to_all"},
    ),
    "experts": ("mixtral", {**TWO, "sharding.expert": 2, "sharding.data": "zero_3"}),
    "ZeRO-1": (
        "trained",
        {
            **TWO, "sharding.data": "zero_1", "precision": "bf16_mixed",
            "training.gradient_accumulation_steps": 2, "sharding.reduction": "last_micro_batch",
        },
    ),
    "ZeRO-3": ("trained", {**TWO, "sharding.data": "zero_3", **FULL}),
    "ZeRO-3, adapters on packed weights": (
        "llama",
        {
            **TWO, "sharding.data": "zero_3", "precision": "bf16_mixed", "adapters.method": "lora",
            "quantization.method": "nf4",
        },
    ),
    "tensor, interleaved": (
        "llama",
        {
            **FOUR, **STAGED, "sharding.tensor": 2, "sharding.schedule": "interleaved_1f1b",
            "precision": "bf16_mixed",
        },
    ),
    "tensor, context, shares": (
        "llama",
        {
            **FOUR, "sharding.tensor": 2, "sharding.context": 2, "sharding.data": "zero_3",
            "precision": "bf16_mixed", "training.gradient_accumulation_steps": 2,
            "sharding.reduction": "last_micro_batch",
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def mixtral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of four experts."""
    folder = tmp_path_factory.mktemp("mixture")
    config = transformers.MixtralConfig(**TINY, num_local_experts=4, num_experts_per_tok=2)
    config.architectures = ["MixtralForCausalLM"]
    config.save_pretrained(folder)
    return folder


@pytest.fixture
def source(request: pytest.FixtureRequest, models: Path, mixtral: Path) -> Path:
    return mixtral if request.param == "mixtral" else models / str(request.param)


Steps = tuple[list[int], list[str]]
"""The peak of each step, and its loss in four decimals where the rank has one."""


def read(folder: str) -> Any:
    """The script as a module."""
    sys.path.insert(0, folder)
    specification = importlib.util.spec_from_file_location("exported", Path(folder, "train.py"))
    assert specification is not None
    assert specification.loader is not None
    script: Any = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    return script


def by_script(rank: int, folder: str) -> Steps:
    """The steps of the script that lies in ``folder``, as this rank runs it."""
    script = read(folder)
    peaks: list[int] = []
    said: list[str] = []
    watch = RankBirths([])

    def peak_memory(device: torch.device) -> str:
        """Where the script asks for the peak, at the end of each step, it is noted."""
        peaks.append(watch.highest_bytes)
        watch.highest_bytes = watch.live_bytes
        return "a peak"

    whole = script.train

    def train(model: Any, optimizer: Any, *given: Any) -> None:
        peaks.clear()  # what building took does not count
        with watch, watch.resizes():
            for tensor in _standing(model, optimizer, {}):
                watch._see(tensor, "standing")
            whole(model, optimizer, *given)

    script.peak_memory, script.train = peak_memory, train
    script.print = lambda line, flush: said.append(line)
    script.join_ranks = torch.device  # this world is there already
    saved = str(Path(folder, "saved.safetensors"))
    arguments = ["train.py", "--steps", str(STEPS), "--device", "cpu", "--output", saved]
    with patch.object(sys, "argv", arguments), patch.object(dist, "destroy_process_group"):
        script.main()
    return peaks, re.findall(r"loss (\S+),", "\n".join(said))


def by_apply(rank: int, source: str, plan: Plan, folder: str) -> Steps:
    """The steps as ``memplanner apply`` runs and measures them on this rank, of the same data."""
    model, section = load(source), plan.sharding
    torch.manual_seed(0)
    module = model.build(CPU)
    if model.load_weights is not None:
        model.load_weights(module)
    target, again = Target(rank=rank), recomputation(plan)
    prepared = prepare(model, plan, target, CPU, module=module, recompute=again)
    torch.manual_seed(1 + data_place(section, rank))
    batches = own_batches(read(folder).make_batches(CPU, None), section, rank)
    backend = RankBackend(prepared, CPU)
    trainer = Trainer(prepared, backend, batches, CPU, Position(), lasting=True)
    results = [trainer.run() for _ in range(STEPS)]
    losses = [f"{result.loss:.4f}" for result in results if result.loss is not None]
    return [result.peak_bytes for result in results], losses


@pytest.mark.slow
@pytest.mark.parametrize(("source", "changes"), CASES.values(), ids=CASES, indirect=["source"])
def test_it_trains_as_apply_does_and_takes_as_much_on_each_rank(
    source: Path, changes: dict[str, object], tmp_path: Path
) -> None:
    plan, folder = Plan().with_values(changes), str(tmp_path)
    export(load(source), plan, "script", folder)
    script = on_ranks(plan.sharding.ranks, by_script, folder)
    apply = on_ranks(plan.sharding.ranks, by_apply, str(source), plan, folder)
    for (peaks, losses), (apply_peaks, apply_losses) in zip(script, apply, strict=True):
        assert min(peaks[FIRST_STEADY:]) == min(apply_peaks[FIRST_STEADY:])
        assert losses == apply_losses
    assert any(losses for _, losses in script)
    if plan.adapters.method == "none":
        check_saved(tmp_path, load(source))
    else:
        assert all("lora_" in name for name in saved_in(tmp_path))


def saved_in(folder: Path) -> dict[str, torch.Tensor]:
    """What was saved, which no two files have both."""
    saved: dict[str, torch.Tensor] = {}
    for path in folder.glob("saved*.safetensors"):
        part = load_file(path)
        assert saved.keys().isdisjoint(part)
        saved |= part
    assert saved
    return saved


def check_saved(folder: Path, model: Model) -> None:
    """That what was saved is every parameter of the model, whole."""
    saved = saved_in(folder)
    whole = dict(model.build(torch.device("meta")).named_parameters())
    assert {name: tensor.shape for name, tensor in saved.items()} == {
        name: parameter.shape for name, parameter in whole.items()
    }


@pytest.mark.slow
def test_torchrun_starts_it_on_four_ranks(models: Path, tmp_path: Path) -> None:
    model, (_, changes) = load(models / "trained"), CASES["tensor, interleaved"]
    path, *_ = export(model, Plan().with_values(changes), "script", tmp_path)
    saved = tmp_path / "saved.safetensors"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    script = [path, "--steps", "2", "--device", "cpu", "--output", str(saved)]
    done = subprocess.run([*launch, "4", *script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"rank (\d), step (\d): (?:loss \d+\.\d+, )?peak", done.stdout)
    assert sorted(lines) == [(rank, step) for rank in "0123" for step in "12"]
    assert len(re.findall(r"rank [23], step \d: loss \d+\.\d+", done.stdout)) == 4
    check_saved(tmp_path, model)


SPLIT: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "tensor": (
        {"sharding.tensor": 2, "sharding.loss_parallel": True, "sharding.data": "zero_3"},
        (
            "torchrun --standalone --nproc-per-node 4 train.py",
            "=Sharding(cards_per_node=4, data=\"zero_3\", tensor=2, loss_parallel=True),",
            "    return split(model, PLAN, device.type, on_cpu=device.type == \"cpu\")",
            "    with splitting_loss(PLAN):\n        train(",
            "together(parameters, PLAN.sharding),",
        ),
    ),
    "tensor, ZeRO-1, math": (
        {
            "sharding.tensor": 2, "sharding.data": "zero_1", "attention.kernel": "math",
            "optimizer.implementation": "for_loop",
        },
        ("    return shared_states(model, parameters, make)", "SDPBackend.MATH"),
    ),
    "pipeline, LoRA, bits": (
        {
            **STAGED, "adapters.method": "lora", "quantization.method": "linear",
            "quantization.per_layer": "model.layers.1.*=8", "sharding.stage_blocks": "1, 3",
            "loss.method": "chunked",
        },
        (
            "    Part(0, 2, 0, 1),\n    Part(1, 2, 1, 4),",
            "places = places_in(model)",
            "    if part.is_last:\n        chunk_loss(model, chunks=8)",
        ),
    ),
    "pipeline, zeros, by name": (
        {
            **STAGED, "pruning.structure": "unstructured", "pruning.schedule": "constant",
            "training.zero_grad": "before_forward",
            "activation_checkpointing.policy": "named",
            "activation_checkpointing.modules": "model.layers.3.mlp", "sharding.data": "zero_2",
        },
        ("for name in places.keys() & RECOMPUTED:", "unwrapped(each).after_step(*given)"),
    ),
    "pipeline, in backward": (
        {
            "sharding.pipeline": 2, "sharding.schedule": "gpipe",
            "optimizer.update": "in_backward", "activation_offload.to": "host",
        },
        ("micro_batches=1,", "    update_in_backward(model)"),
    ),
    "context, mixed": (
        {
            "sharding.context": 2, "precision": "bf16_mixed", "sharding.bucket_view": True,
            "training.gradient_accumulation_steps": 2,
            "sharding.reduction": "last_micro_batch",
        },
        (
            "bucket_view=True",
            "reduce_gradients(model, PLAN, last=micro_batch == ACCUMULATION_STEPS - 1)",
            "islice(batches, place, None, PLAN.sharding.data_degree)",
        ),
    ),
    "shares on the host": (
        {
            "sharding.data": "zero_3", "offload.parameters": "host", "offload.optimizer": "host",
        },
        ("    offload=Offload(parameters=\"host\"),",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPLIT)
def test_it_brings_along_what_splits_the_model(
    case: str, llama: Model, card: Device, tmp_path: Path
) -> None:
    changes, expected = SPLIT[case]
    rendering = render("script", llama, Plan().with_values({**FOUR, **changes}), card)
    assert rendering.cannot_say == ()
    for words in expected:
        assert words in rendering.files[0].text
    written = {file.name: file.text for file in rendering.files}
    for name in ("train.py", "parallel.py"):
        (tmp_path / name).write_text(written[name])
    assert not re.search(r"^\s*(from|import) (memplanner|pydantic)", written["parallel.py"], re.M)
    options = ["--isolated", "--line-length", "100", "--no-cache", str(tmp_path)]
    for command in (["format", "--diff"], ["check", "--select", RULES]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_what_cannot_be_split_is_refused_as_the_plan_is(llama: Model, card: Device) -> None:
    for changes, words in (
        ({"sharding.tensor": 4}, "does not divide the 2 key and value heads"),
        ({"sharding.pipeline": 8, "sharding.cards_per_node": 8, **ENOUGH}, "4; choose"),
        ({"sharding.expert": 2, "sharding.data": "zero_3"}, "finds no experts"),
    ):
        with pytest.raises(PlanError, match=words):
            render("script", llama, Plan().with_values({**FOUR, **changes}), card)


def test_each_rank_of_a_batch_file_finds_it(llama: Model, card: Device) -> None:
    plan = Plan().with_values({**FOUR, **STAGED, "sharding.nodes": 2, "sharding.tensor": 2})
    files = render("slurm", llama, plan, card).files
    assert [file.name for file in files] == ["train.sbatch", "train.py", "parallel.py"]
    assert "torchrun --nnodes 2" in files[0].text
