"""What the panel of a selected module shows."""

from __future__ import annotations

import numpy as np

from memplanner.estimate.layers import rows, table_at
from memplanner.estimate.moments import WIDTH, Lives, kept_for_backward
from memplanner.messages.estimate import KeptTensor, ModuleDetail, ParameterInfo
from memplanner.tape.tape import PARAMETERS, Tape


def module_detail(tape: Tape, name: str) -> ModuleDetail:
    """The module at ``name`` of an unfolded tape, as one of a kind. Raises ``KeyError``."""
    if name not in tape.module_names:
        raise KeyError(name)
    lives = Lives.of(tape)
    index = tape.module_names.index(name)
    below = np.array(
        [path == name or not name or path.startswith(name + ".") for path in tape.module_names]
    )
    inside = np.flatnonzero(below[tape.module])
    kept = kept_for_backward(tape, lives)
    kept = kept[below[tape.module[kept]]]
    shapes = tape.module_shapes.get(index, ((), ()))
    table = table_at(tape, lives, "peak", int(tape.curve_bytes.argmax()))
    whole = np.zeros((len(tape.module_names), WIDTH), dtype=np.int64)
    whole[index] = table[below].sum(axis=0)
    layer = next(row for row in rows(tape, lives, whole) if row.name == name)
    return ModuleDetail(
        name=name,
        type=tape.module_types[index],
        alike=1,
        parameters=tuple(
            _parameter(tape, int(place), name)
            for place in inside
            if tape.category[place] == PARAMETERS
        ),
        kept=tuple(_kept(tape, int(place)) for place in kept),
        input_shapes=shapes[0],
        output_shapes=shapes[1],
        layer=layer.model_copy(
            update={
                "kept_bytes": int(tape.size_bytes[kept].sum()),
                "parameters": int(tape.numel[inside].sum()),
            }
        ),
    )


def _parameter(tape: Tape, storage: int, below: str) -> ParameterInfo:
    info = tape.storages[int(tape.source[storage])]
    path = tape.module_names[int(tape.module[storage])]
    name = (f"{path}." if path else "") + info.operation.rpartition(".")[2]
    return ParameterInfo(
        name=name.removeprefix(below + "."),
        shape=info.shape,
        dtype=info.dtype,
        size_bytes=int(tape.size_bytes[storage]),
        trainable=bool(tape.trainable[storage]),
    )


def _kept(tape: Tape, storage: int) -> KeptTensor:
    info = tape.storages[int(tape.source[storage])]
    return KeptTensor(
        operation=info.operation.removeprefix("aten.").partition(".")[0],
        shape=info.shape,
        dtype=info.dtype,
        size_bytes=int(tape.size_bytes[storage]),
    )
