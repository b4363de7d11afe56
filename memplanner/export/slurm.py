"""The target ``slurm``: a batch file that starts the script's ranks on a cluster's machines.

Options are those of https://slurm.schedmd.com/sbatch.html; torchrun meets as its documentation says
(https://docs.pytorch.org/docs/stable/elastic/run.html).
"""

from __future__ import annotations

import re

from memplanner.export.head import comment, one_line, origin
from memplanner.export.script import Script
from memplanner.export.target import ExportTarget, Rendering, Subject
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan

_PORT = 29500


class Slurm(ExportTarget):
    """One task a machine, in which torchrun starts a rank a card; beside it the script."""

    name = "slurm"
    title = "SLURM batch file"
    explanation = "For sbatch: the PyTorch script on every machine of the plan."
    file_name = "train.sbatch"
    order = 30

    def said(self, subject: Subject) -> frozenset[str]:
        """What the script carries, which lies beside the batch file."""
        return Script().said(subject)

    def render(self, model: Model, plan: Plan, device: Device) -> Rendering:
        """The batch file, then the script with what lies beside that."""
        own = super().render(model, plan, device)
        script = Script().render(model, plan, device)
        return Rendering((*own.files, *script.files), script.cannot_say)

    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The batch file."""
        section, script = subject.plan.sharding, Script.file_name
        options = [
            f"--job-name={_job_name(subject.model.name)}",
            f"--nodes={section.nodes}",
            "--ntasks-per-node=1",
            "--exclusive",
            "--output=%x-%j.out",
        ]
        if subject.device.kind != "cpu":
            options.insert(3, f"--gpus-per-node={section.cards_per_node}")
        head = [
            f"sbatch {self.file_name}",
            f"For {origin(subject)}: {section.ranks} ranks. Add your cluster's account, partition, "
            "time limit and environment.",
        ]
        start = [
            f"srun --kill-on-bad-exit=1 torchrun --nnodes {section.nodes} \\",
            f'    --nproc-per-node {section.cards_per_node} --rdzv-id "$SLURM_JOB_ID" \\',
            f'    --rdzv-backend c10d --rdzv-endpoint "$first:{_PORT}" \\',
            f'    {script} "$@"',
        ]
        if section.ranks == 1:
            start = [f'srun --kill-on-bad-exit=1 python {script} "$@"']
        find_first = [
            "# the machine at which the others meet",
            'hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")',
            "first=${hosts%%$'\\n'*}",
            "",
        ]
        lines = [
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in options),
            "",
            *comment(head, cannot_say).splitlines(),
            "",
            "set -euo pipefail",
            'cd "$SLURM_SUBMIT_DIR"',
            *(find_first if section.ranks > 1 else []),
            *start,
        ]
        return "".join(f"{line}\n" for line in lines)


def _job_name(name: str) -> str:
    """What a shell and a file system take."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", one_line(name)).strip("-.") or "train"
