"""Secrets in text that is kept or shown: replaced before it is written anywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

MASK = "•••"
_SHORTEST = 8
"""A shorter value of a variable is a word that may stand anywhere."""
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY|KEY|AUTH|PAT|COOKIE)"
    r"(?:_|$|S$)",
    re.IGNORECASE,
)
"""Of a variable of the environment whose value nobody else should see, such as ``HF_TOKEN``."""
_KINDS = (
    (re.compile(r"\b(hf_|api_org_)[A-Za-z0-9]{8,}"), rf"\1{MASK}"),
    (re.compile(r"\b(sk-|pk-|rk-)[A-Za-z0-9_\-]{8,}"), rf"\1{MASK}"),
    (re.compile(r"\b(gh[pousr]_|github_pat_|glpat-)[A-Za-z0-9_\-]{8,}"), rf"\1{MASK}"),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}"), rf"\1{MASK}"),
    (re.compile(r"\b(xox[abeprs]-)[A-Za-z0-9\-]{8,}"), rf"\1{MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/\-]{8,}=*"), rf"\1\2{MASK}"),
    (
        re.compile(r"(?i)\b([a-z][a-z0-9+.\-]{0,30}://[^\s/:@]{0,200}):[^\s/@]{1,500}@"),
        rf"\1:{MASK}@",
    ),
    (
        re.compile(
            r"(?i)([\"']?\b[\w\-]{0,40}(?:token|secret|password|passwd|passphrase|api[_\-]?key|"
            r"authorization)[\"']?\s{0,4}[=:]\s{0,4}[\"']?)(?!(?:bearer|basic)\s)"
            r"[^\s\"',;&]{4,}"
        ),
        rf"\1{MASK}",
    ),
)
"""What secrets look like by themselves; what is left tells their kind. Every repetition before a
certain sign is bounded: a line of any length takes linear time."""


def mask(text: str, environment: Mapping[str, str] | None = None) -> str:
    """``text`` without tokens, keys, passwords, and values of the environment's secret variables.

    ``environment`` stands in for this process's own.
    """
    for value in _secret_values(os.environ if environment is None else environment):
        text = text.replace(value, MASK)
    for pattern, instead in _KINDS:
        text = pattern.sub(instead, text)
    return text


def mask_paths(text: str, home: Path | None = None) -> str:
    """``text`` with the user's folder, and so the user's name, as ``~``."""
    folder = str(Path.home() if home is None else home)
    if len(folder) <= 1:  # the root is in every path
        return text
    return re.sub(re.escape(folder) + r"(?![\w.\-])", "~", text)


def _secret_values(environment: Mapping[str, str]) -> list[str]:
    """The longest first: one may hold another."""
    found = {
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST and "/" not in value[:1]
    }
    return sorted(found, key=len, reverse=True)
