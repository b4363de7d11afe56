"""The engine's answer to ``import_plan``, before torch is there."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner.server.channel import Channel
from memplanner.server.light import answer_light


def test_a_trainers_file_is_answered_at_once(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("base_model: gpt2\nmicro_batch_size: 7\nodd_key: 1\noutput_dir: out\n")
    stream = BytesIO()
    request = protocol.ImportPlan(id=3, path=str(path), plan=Plan())
    assert answer_light(request, Channel(stream))
    reply = protocol.read_reply.validate_python(json.loads(stream.getvalue()))
    assert isinstance(reply, protocol.Imported)
    assert reply.id == 3
    assert (reply.title, reply.model, reply.source) == ("Axolotl", "gpt2", "preset:gpt2")
    assert reply.plan.training.batch_size == 7
    assert reply.no_place == ("odd_key: 1 has no place in a plan.",)
    assert reply.aside == ("output_dir",)
