"""A configuration that was built is not built again, or no folder is opened a million times.

What a damaged ``config.json`` does is for the reader ``config`` to find; here it is what lies
beside one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

MOST = 64
"""Configurations that are kept: the valid ones come again and again, damaged ones hardly ever."""

Resolved = tuple[type[Any], Any, tuple[str, ...]]


class _Kept:
    """``resolve`` and ``model_from_config``, which remember what they made."""

    def __init__(self, resolve: Callable[..., Resolved], make: Callable[..., Any]) -> None:
        self._resolve, self._make = resolve, make
        self._resolved: dict[str, Resolved] = {}
        self._made: dict[int, tuple[Any, Any]] = {}

    def resolve(self, values: Mapping[str, Any], path: Path, *, trust_code: bool) -> Resolved:
        key = json.dumps(values)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolve(values, path, trust_code=trust_code)
            if len(self._resolved) >= MOST:
                self._resolved.clear()
                self._made.clear()
            self._resolved[key] = found
        return found

    def model_from_config(self, model_class: type[Any], config: Any, **said: Any) -> Any:
        kept, model = self._made.get(id(config), (None, None))
        if kept is not config:
            model = self._make(model_class, config, **said)
            model = replace(model, build=cache(model.build))
            self._made[id(config)] = config, model
        named = {key: said.get(key) for key in ("name", "source", "kind", "tokenizer")}
        return replace(model, **named)


@contextmanager
def configurations_kept() -> Iterator[None]:
    """Inside, folders of a configuration that was seen share what was built of it."""
    from memplanner.model import hugging_face_folder
    from memplanner.model.hugging_face import model_from_config
    from memplanner.model.hugging_face_config import resolve
    from memplanner.run import reloading

    before = resolve, model_from_config
    kept = _Kept(*before)

    def put(resolve: Any, make: Any) -> None:
        for module in (hugging_face_folder, reloading):
            vars(module).update(resolve=resolve, model_from_config=make)

    put(kept.resolve, kept.model_from_config)
    try:
        yield
    finally:
        put(*before)
