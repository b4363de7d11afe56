"""Writes ``deepspeed_numbers.json``: what DeepSpeed's own estimators say.

``python -m tests.estimate.deepspeed_numbers``, where deepspeed is installed.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

FILE = Path(__file__).with_name("deepspeed_numbers.json")
PARAMETERS = (
    (124_439_808, 38_597_376),
    (8_030_261_248, 525_336_576),
    (70_553_706_496, 1_050_673_152),
)
CARDS = ((1, 1), (2, 1), (8, 1), (7, 3), (8, 128))


def main() -> None:
    """Asks DeepSpeed and writes the answers: bytes of the host, bytes of a card."""
    import deepspeed  # type: ignore[import-not-found]  # not a requirement
    from deepspeed.runtime.zero.stage3 import (  # type: ignore[import-not-found]  # as above
        estimate_zero3_model_states_mem_needs as zero_3,
    )
    from deepspeed.runtime.zero.stage_1_and_2 import (  # type: ignore[import-not-found]  # as above
        estimate_zero2_model_states_mem_needs as zero_2,
    )

    rows = []
    for (parameters, layer), (cards, nodes), away in product(PARAMETERS, CARDS, (False, True)):
        found = zero_2(parameters, cards, nodes, cpu_offload=away)
        rows.append([2, parameters, layer, cards, nodes, away, False, True, *found])
        for parameters_away, built in product((False, True), repeat=2):
            found = zero_3(
                parameters, layer, cards, nodes, cpu_offload=away,
                cpu_offload_params=parameters_away, zero_init=built,
            )  # fmt: skip
            rows.append(
                [3, parameters, layer, cards, nodes, away, parameters_away, built, *found[:2]]
            )
    text = ",\n".join(json.dumps(row) for row in rows)
    FILE.write_text(f'{{"deepspeed": "{deepspeed.__version__}", "rows": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
