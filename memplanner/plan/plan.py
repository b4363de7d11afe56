"""The plan: everything the user decides, as one frozen, versioned value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from memplanner.errors import PlanError
from memplanner.plan import precision as precision_words
from memplanner.plan.activation_checkpointing import ActivationCheckpointing
from memplanner.plan.activation_offload import ActivationOffload
from memplanner.plan.adapters import Adapters
from memplanner.plan.attention import Attention
from memplanner.plan.compilation import Compilation
from memplanner.plan.distillation import Distillation
from memplanner.plan.inference import Inference
from memplanner.plan.loss import Loss
from memplanner.plan.migrations import SCHEMA, migrate
from memplanner.plan.offload import Offload
from memplanner.plan.optimizer import Optimizer
from memplanner.plan.precision import Precision
from memplanner.plan.pruning import Pruning
from memplanner.plan.quantization import Quantization
from memplanner.plan.section import Section
from memplanner.plan.sharding import Sharding
from memplanner.plan.training import Training
from memplanner.plan.wording import sentence, unknown_key


class Plan(BaseModel):
    """How a model is trained. Equal plans give equal estimates; edits make new plans.

    >>> Plan(training=Training(batch_size=4)).training.batch_size
    4
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: int = Field(SCHEMA, alias="schema", title="Schema", ge=SCHEMA, le=SCHEMA)
    training: Training = Training()
    inference: Inference = Inference()
    optimizer: Optimizer = Optimizer()
    precision: Precision = Field(
        "bf16", title=precision_words.TITLE, description=precision_words.EXPLANATION
    )
    attention: Attention = Attention()
    compilation: Compilation = Compilation()
    activation_checkpointing: ActivationCheckpointing = ActivationCheckpointing()
    activation_offload: ActivationOffload = ActivationOffload()
    offload: Offload = Offload()
    loss: Loss = Loss()
    distillation: Distillation = Distillation()
    pruning: Pruning = Pruning()
    quantization: Quantization = Quantization()
    adapters: Adapters = Adapters()
    sharding: Sharding = Sharding()

    @model_validator(mode="before")
    @classmethod
    def _bring_up_to_date(cls, values: Any) -> Any:
        return migrate(values) if isinstance(values, dict) else values

    @classmethod
    def parse(cls, values: object, *, origin: str = "the plan") -> Self:
        """The plan that ``values`` (the YAML's mapping) describe.

        Raises ``PlanError`` with one sentence that names ``origin``, the key and the fix.

        >>> Plan.parse({"optimizer": {"name": "sgd"}}).optimizer.name
        'sgd'
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise PlanError(sentence(error, cls, origin)) from error

    def with_values(self, changes: dict[str, object], *, origin: str = "the plan") -> Self:
        """This plan with some keys changed, such as ``{"training.batch_size": 4}``.

        Values may be text, as ``--set`` and fields give them. Raises ``PlanError``.

        >>> changed = Plan().with_values({"precision": "fp32", "training.batch_size": "4"})
        >>> changed.precision, changed.training.batch_size
        ('fp32', 4)
        """
        values: dict[str, Any] = dict(self)
        values["schema"] = values.pop("schema_")
        for name in {key.partition(".")[0] for key in changes}:
            if isinstance(values.get(name), Section):  # the others are shared by both plans
                values[name] = values[name].model_dump(mode="json", by_alias=True)
        for key, value in changes.items():
            *path, last = key.split(".")
            target: Any = values
            for part in path:
                target = target.get(part) if isinstance(target, dict) else None
            if not isinstance(target, dict) or (not path and isinstance(values.get(last), dict)):
                raise PlanError(unknown_key(key, type(self), origin))
            target[last] = value
        return self.parse(values, origin=origin)

    def to_dict(self) -> dict[str, Any]:
        """The YAML's mapping: every key, plain values."""
        return self.model_dump(mode="json", by_alias=True)

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Each section with its name, in the order of the plan."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield name, value


def keys() -> tuple[str, ...]:
    """Every key of a plan, dotted, such as ``training.batch_size``.

    >>> "activation_checkpointing.policy" in keys()
    True
    """
    found = []
    for name, field in Plan.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            found += [f"{name}.{inner}" for inner in section.model_fields]
        elif name != "schema_":
            found.append(name)
    return tuple(found)
