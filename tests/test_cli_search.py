"""``memplanner search`` and ``memplanner fit``: what they print, and their exit codes."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from memplanner.cli import main  # noqa: F401  (adds the commands)
from memplanner.cli.commands import app
from memplanner.errors import PlanError
from memplanner.messages.search import FitResult, SearchResult

SMALL = ["preset:smollm2-135m", "--device", "RTX 3060 12GB", "--set", "training.sequence_length=64"]


def test_a_search_prints_its_result_as_json() -> None:
    result = CliRunner().invoke(app, ["search", *SMALL, "--try", "loss", "--json"])
    assert result.exit_code == 0
    found = SearchResult.model_validate_json(result.stdout)
    assert found.state.complete
    assert found.chosen is not None
    assert found.goal.techniques == ("loss",)
    assert all(one.verdict == "fits" for one in found.plans)


def test_a_plan_that_fits_ends_with_0_and_one_that_does_not_with_1() -> None:
    fits = CliRunner().invoke(app, ["fit", *SMALL, "--try", "loss", "--json"])
    assert fits.exit_code == 0
    assert FitResult.model_validate_json(fits.stdout).fits_already
    large = [*SMALL, "--set", "training.batch_size=2048", "--try", "training"]
    result = CliRunner().invoke(app, ["fit", *large])
    assert result.exit_code == 1
    assert "does not fit RTX 3060 12GB" in result.stdout
    assert "micro-batch" in result.stdout


def test_a_pin_that_no_plan_has_is_refused() -> None:
    result = CliRunner().invoke(app, ["search", *SMALL, "--pin", "training.batch"])
    assert isinstance(result.exception, PlanError | SystemExit)
    assert result.exit_code != 0


@pytest.mark.parametrize("command", ["search", "fit"])
def test_help_explains(command: str) -> None:
    assert "--pin" in CliRunner().invoke(app, [command, "--help"]).stdout
