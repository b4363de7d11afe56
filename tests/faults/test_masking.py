"""No secret is kept: whatever its kind, and wherever in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.masking import MASK, mask, mask_paths

WORD = "Qx7" + "bR9tZ2" * 5
SECRETS = [
    ("hf_" + WORD, WORD),
    ("sk-proj-" + WORD, WORD),
    ("ghp_" + WORD, WORD),
    ("glpat-" + WORD, WORD),
    ("AKIA" + "IOSFODNN7EXAMPLE", "IOSFODNN7"),
    ("Authorization: Bearer " + WORD, WORD),
    ("authorization: basic " + WORD + "==", WORD),
    ("https://someone:" + WORD + "@example.org/x.git", WORD),
    ("postgresql://u:p%40ss" + WORD + "@h/db", WORD),
    ("HF_TOKEN=" + WORD, WORD),
    ('{"api_key": "' + WORD + '"}', WORD),
    ("password: hunter2", "hunter2"),
    ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0." + WORD, WORD),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS, ids=[text[:14] for text, _ in SECRETS])
def test_kinds_of_secrets_are_masked_in_the_middle_of_a_line(text: str, secret: str) -> None:
    masked = mask(f"before {text} after", {})
    assert secret not in masked
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


def test_values_of_secret_variables_are_masked_wherever_they_stand() -> None:
    environment = {"WANDB_API_KEY": "plainlookingword", "HOME": "/home/someone", "MY_PAT": "short"}
    text = "x=plainlookingword/home/someone short"
    assert mask(text, environment) == f"x={MASK}/home/someone short"


@pytest.mark.parametrize(
    "text",
    [
        "tokenizer.json has 32000 tokens; max_tokens 4096",
        "RuntimeError: CUDA error: out of memory",
        "https://huggingface.co/meta-llama/Llama-3.1-8B",
        "model.layers.0.self_attn.k_proj.weight [1024, 4096] bf16",
        "key_value_heads: 8, num_key_value_heads=8",
        "risk-averse hf_hub_download ask-me-anything-now",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text, {}) == text


@given(st.text(max_size=300))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = mask(text, {})
    assert mask(once, {}) == once


@pytest.mark.timeout(120)
@pytest.mark.parametrize("piece", ["a", "a:", "://", "token", "eyJaaaaaaaa.", "sk-", "https://a:"])
def test_a_long_line_takes_no_long(piece: str) -> None:
    """Were it the square of the length, a line would take hours."""
    line = piece * (200_000 // len(piece))
    masked = mask(line, {})
    assert mask(masked, {}) == masked


def test_the_users_folder_is_not_told() -> None:
    home = Path("/home/someone")
    assert mask_paths('File "/home/someone/a.py"', home) == 'File "~/a.py"'
    assert mask_paths("/home/someone-else/a.py", home) == "/home/someone-else/a.py"
