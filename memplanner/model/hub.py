"""A model on the Hugging Face hub, by its id: its configuration now, its weights at apply."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from torch import nn

from memplanner.errors import SourceError
from memplanner.model.hugging_face import one_line, transformers_class
from memplanner.model.hugging_face_folder import load_folder
from memplanner.model.hugging_face_limits import without_hub
from memplanner.model.loaded import Model

SECONDS = 5.0
"""To wait for the hub before it counts as out of reach."""


def load_hub(name: str, *, trust_code: bool = False) -> Model:
    """The model with the hub id ``name`` (``org/name`` or ``org/name@revision``).

    A cached copy is used when the hub is out of reach. Raises ``SourceError``.
    """
    repository, _, revision = name.partition("@")
    folder = _config(repository, revision or None).parent
    model = load_folder(folder, source=name, kind="hub", name=repository, trust_code=trust_code)
    if model.load_weights is not None:  # all of it is in the cache
        return model
    if transformers_class(model.class_name) is None:
        return model

    def load_weights(module: nn.Module) -> None:
        whole = _snapshot(repository, revision or None)
        found = load_folder(whole, source=name, kind="hub", name=repository, trust_code=trust_code)
        if found.load_weights is None:
            raise SourceError(
                f"The weights of {repository} are quantized or no safetensors files; name "
                "another model."
            )
        found.load_weights(module)

    return replace(model, load_weights=load_weights)


def _config(repository: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    options = {"repo_id": repository, "filename": "config.json", "revision": revision}
    return Path(_fetch(hf_hub_download, repository, options))


def _snapshot(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt"]
    options = {"repo_id": repository, "revision": revision, "allow_patterns": patterns}
    return Path(_fetch(snapshot_download, repository, options))


def _fetch(download: Any, repository: str, options: Mapping[str, Any]) -> str:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        answers = hub_answers()
        with nullcontext() if answers else without_hub():
            return str(download(**options, etag_timeout=SECONDS, local_files_only=not answers))
    except GatedRepoError as error:
        raise SourceError(
            f"{repository} is gated; accept its terms on huggingface.co and log in with `hf auth "
            "login`."
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise SourceError(
            f"{repository} is not a model on the hub ({one_line(error)}); check the id."
        ) from error
    except LocalEntryNotFoundError as error:
        raise SourceError(
            f"{repository} is not on this machine and the hub cannot be reached; download it where "
            "there is a network and open its folder."
        ) from error
    except EntryNotFoundError as error:
        raise SourceError(
            f"{repository} has no config.json; name a model that transformers can open."
        ) from error
    except (OSError, _client_errors(HfHubHTTPError)) as error:
        raise SourceError(
            f"{repository} cannot be fetched ({one_line(error)}); check the network, or open a "
            "folder on this machine."
        ) from error


def hub_answers() -> bool:
    """Whether the hub (or the proxy to it) takes a connection: the client retries for 24 s."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(str(constants.ENDPOINT))
    proxy = getproxies().get(address.scheme)
    if proxy and not proxy_bypass(address.hostname or ""):
        address = urlsplit(proxy)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=SECONDS):
            return True
    except OSError:
        return False


def _client_errors(hub_error: type[Exception]) -> type[Exception]:
    """The base of what the hub's HTTP client raises: httpx's ``HTTPError``, whatever its home."""
    for base in hub_error.__mro__:
        if base.__name__ == "HTTPError" and issubclass(base, Exception):
            return base
    return hub_error
