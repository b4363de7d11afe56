"""Scripts over data-parallel cards, and the batch file that starts them: what is in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memplanner.export import render
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests.export.test_script_text import RULES

TWO: dict[str, object] = {
    "sharding.cards_per_node": 2,
    "training.batch_size": 2,
    "training.sequence_length": 24,
}
ONCE = {"training.gradient_accumulation_steps": 3, "sharding.reduction": "last_micro_batch"}
TEXTS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "DDP": (
        {"sharding.bucket_view": True, "sharding.static_graph": True, **ONCE},
        (
            "torchrun --standalone --nproc-per-node 2 train.py",
            "RANKS = 2",
            "        bucket_cap_mb=25,\n        gradient_as_bucket_view=True,\n"
            "        static_graph=True,\n",
            "model.require_backward_grad_sync = micro_batch == ACCUMULATION_STEPS - 1",
            "save_model(model.module, arguments.output)",
        ),
    ),
    "ZeRO-1": (
        {"sharding.data": "zero_1", "sharding.bucket_mib": 7},
        ("bucket_cap_mb=7,", "ZeroRedundancyOptimizer(\n        parameters,\n        torch.optim."),
    ),
    "ZeRO-2": (
        {"sharding.data": "zero_2", **ONCE},
        (
            'UNITS = ("model.layers",)',
            "reshard_after_forward=False)",
            "model.set_requires_gradient_sync(micro_batch == ACCUMULATION_STEPS - 1)",
        ),
    ),
    "ZeRO-3": (
        {"sharding.data": "zero_3", "sharding.prefetch": 2, "precision": "bf16_mixed"},
        (
            "MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)",
            "reshard_after_forward=True, mp_policy=policy)",
            "set_modules_to_forward_prefetch(units[place + 1 : place + 3])",
            "set_modules_to_backward_prefetch(units[max(place - 2, 0) : place][::-1])",
        ),
    ),
    "hybrid": (
        {"sharding.data": "zero_3", "sharding.nodes": 2, "sharding.replicas": 2},
        (
            "torchrun --nnodes 2 --nproc-per-node 2 --rdzv-backend c10d --rdzv-endpoint "
            "HOST:29500 train.py",
            'init_device_mesh(device.type, (2, 2), mesh_dim_names=("replicas", "shards"))',
        ),
    ),
}


@pytest.mark.parametrize("case", TEXTS)
def test_its_text_says_how_cards_share(
    case: str, llama: Model, card: Device, tmp_path: Path
) -> None:
    changes, expected = TEXTS[case]
    rendering = render("script", llama, Plan().with_values({**TWO, **changes}), card)
    assert rendering.cannot_say == ()
    text = rendering.files[0].text
    for words in expected:
        assert words in text
    path = tmp_path / "train.py"
    path.write_text(text)
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--isolated", "--line-length", "100"]
    for command in (["format", "--check"], ["check", "--select", RULES]):
        done = subprocess.run(
            [*ruff, *command, *options, path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_one_card_leaves_no_trace(llama: Model, card: Device) -> None:
    text = render("script", llama, Plan(), card).files[0].text
    assert "RANKS" not in text
    assert "distributed" not in text


def test_a_batch_file_starts_the_script_on_every_machine(llama: Model, card: Device) -> None:
    plan = Plan().with_values(
        {"sharding.nodes": 4, "sharding.cards_per_node": 8, "sharding.data": "zero_3"}
    )
    rendering = render("slurm", llama, plan, card)
    assert [file.name for file in rendering.files] == ["train.sbatch", "train.py"]
    assert rendering.files[1] == render("script", llama, plan, card).files[0]
    text = rendering.files[0].text
    for option in ("--nodes=4", "--gpus-per-node=8", "--ntasks-per-node=1", "--exclusive"):
        assert f"#SBATCH {option}\n" in text
    joined = text.replace("\\\n    ", "")
    assert (
        'srun --kill-on-bad-exit=1 torchrun --nnodes 4 --nproc-per-node 8 --rdzv-id "$SLURM_JOB_ID"'
        ' --rdzv-backend c10d --rdzv-endpoint "$first:29500" train.py "$@"\n' in joined
    )


def test_a_batch_file_is_read_by_a_shell(llama: Model, card: Device, tmp_path: Path) -> None:
    """With stand-ins for a cluster's commands, what would be started is what was meant."""
    plan = Plan().with_values({"sharding.nodes": 2, "sharding.cards_per_node": 4})
    batch = tmp_path / "train.sbatch"
    batch.write_text(render("slurm", llama, plan, card).files[0].text)
    for name, body in (("scontrol", "printf 'one\\ntwo\\n'"), ("srun", 'echo "$@"')):
        command = tmp_path / name
        command.write_text(f"#!/bin/bash\n{body}\n")
        command.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "one,two",
    }
    done = subprocess.run(
        ["bash", batch, "--steps", "3"], capture_output=True, text=True, check=True, env=environment
    )
    assert (
        done.stdout.split()
        == (
            "--kill-on-bad-exit=1 torchrun --nnodes 2 --nproc-per-node 4 --rdzv-id 7 "
            "--rdzv-backend c10d --rdzv-endpoint one:29500 train.py --steps 3"
        ).split()
    )
