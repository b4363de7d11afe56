"""Commands run as a terminal runs them, and what is expected of their mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from memplanner.cli.commands import app

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
"""A recipe that prints in every way at every time."""


def memplanner(*arguments: str | Path, typed: str | None = None) -> Result:
    """Runs a command in this process. Whatever it raised but its own exit is a defect."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)
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
        **{"stdout": subprocess.PIPE, **options},
    )


def estimated(*arguments: str | Path) -> dict[str, Any]:
    result = memplanner("estimate", *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def silent(recipe: str) -> str:
    """``recipe`` with no print."""
    return recipe.replace("print(", "(").replace("os.write(", "(")


def assert_one_sentence(exit_code: int, stdout: str, stderr: str, *words: str) -> None:
    assert (exit_code, stdout) == (2, ""), stderr
    assert stderr.count("\n") == 1, stderr
    assert stderr.endswith((".\n", "?\n"))
    assert "Traceback" not in stderr
    for word in words:
        assert word in stderr
