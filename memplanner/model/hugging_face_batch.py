"""Inputs and labels for a transformers class, made from its name, signature and configuration.

The kind of data follows ``main_input_name``; the labels follow the ending of the class name,
which is transformers' own convention (``…ForCausalLM``, ``…ForImageClassification``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

from memplanner.errors import SourceError
from memplanner.model.generated import Generator
from memplanner.model.input_shapes import frames, picture_shape, sides, sound_shape
from memplanner.model.loaded import Batch

BOXES = 8
"""Objects in one generated picture for a detector; COCO has 7.7 on average (arXiv:1405.0312)."""

_LOSS_KEYS = {"labels", "start_positions", "return_loss"}
_OWN_LOSS = ("PreTraining", "MaskedImageModeling")
"""Classes that make a loss from the inputs alone."""


class HuggingFaceBatch:
    """Makes micro-batches for ``model_class`` with ``config`` (a transformers configuration)."""

    def __init__(self, model_class: type[Any], config: Any) -> None:
        self.config = config
        self.text = _text_config(config)
        self.class_name = model_class.__name__
        parameters = inspect.signature(model_class.forward).parameters
        self.accepts = frozenset(parameters)
        self.needs = frozenset(
            name for name, parameter in parameters.items() if parameter.default is parameter.empty
        )
        self.main_input = self._main_input(str(model_class.main_input_name))
        self._make = self._maker()

    def __call__(self, batch_size: int, sequence_length: int, device: torch.device) -> Batch:
        """Keyword arguments of one forward; floats in fp32."""
        return self._make(Generator(device), batch_size, sequence_length)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the inputs assume beyond the batch size and the sequence length."""
        inputs = self(1, 16, torch.device("meta"))
        notes = []
        if "pixel_values" in inputs:
            shape = " × ".join(map(str, inputs["pixel_values"].shape[1:]))
            notes.append(f"Pictures are {shape}.")
        elif "pixel_values" in self.accepts:
            notes.append("The inputs are text alone: pictures would take more.")
        if not inputs.keys() & _LOSS_KEYS and not self._ends(*_OWN_LOSS):
            notes.append(f"{self.class_name} has no loss: the sum of its output stands in.")
        return tuple(notes)

    @property
    def takes_sequence(self) -> bool:
        """Whether the sequence length changes the shapes."""
        probe = torch.device("meta")
        short, long = (_shapes(self(1, length, probe)) for length in (16, 32))
        return bool(short != long)

    @property
    def sequence_is_decoded(self) -> bool:
        """Whether the sequence length is that of the decoder alone, as in speech recognition."""
        return bool(self.config.is_encoder_decoder) and self.main_input != "input_ids"

    def _main_input(self, named: str) -> str:
        # Many image-and-text classes name the picture although they train on text alone.
        if named in self.accepts:
            is_text_model = named not in self.needs and (
                self._ends("CausalLM")
                or (self._ends("ConditionalGeneration") and not self.config.is_encoder_decoder)
            )
            return "input_ids" if is_text_model and "input_ids" in self.accepts else named
        for name in ("input_ids", "pixel_values", "input_values", "input_features"):
            if name in self.accepts:
                return name
        return named

    def _maker(self) -> Callable[[Generator, int, int], Batch]:
        makers = {
            "input_ids": self._text_batch,
            "pixel_values": self._picture_batch,
            "pixel_values_videos": self._video_batch,
            "input_values": self._sound_batch,
            "input_features": self._sound_batch,
            "past_values": self._series_batch,
            "inputs": self._any_batch,
        }
        if self.main_input not in makers:
            raise SourceError(
                f"{self.class_name} takes {self.main_input}, for which no inputs can be made; open "
                "the model through a recipe file with model() and batch(batch_size, "
                "sequence_length)."
            )
        return makers[self.main_input]

    # Text

    def _text_batch(self, make: Generator, batch: int, length: int) -> Batch:
        if self._ends("MultipleChoice"):
            ids = self._tokens(make, batch, 2, length)
            return {"input_ids": ids, "labels": make.integers(batch, below=2)}
        ids = self._tokens(make, batch, length)
        inputs: Batch = {"input_ids": ids}
        if "return_loss" in self.accepts and "pixel_values" in self.accepts:
            inputs |= {"pixel_values": make.floats(batch, *self._picture()), "return_loss": True}
        elif self._ends("QuestionAnswering") and "start_positions" in self.accepts:
            inputs["start_positions"] = make.integers(batch, below=length)
            inputs["end_positions"] = make.integers(batch, below=length)
        elif self._ends("QuestionAnswering", "VisualReasoning", "ImageAndTextRetrieval"):
            if "labels" in self.accepts:  # about a picture: a score for each answer
                inputs["labels"] = make.floats(batch, self._label_count(), uniform=True)
        elif self._ends("SequenceClassification"):
            inputs["labels"] = self._classes(make, batch)
        elif self._ends("TokenClassification"):
            inputs["labels"] = make.integers(batch, length, below=self._label_count())
        elif self._ends("NextSentencePrediction"):
            inputs["labels"] = make.integers(batch, below=2)
        elif "labels" in self.accepts:
            inputs["labels"] = ids
            for name in ("next_sentence_label", "sentence_order_label"):
                if name in self.accepts:
                    inputs[name] = make.integers(batch, below=2)
        elif self.config.is_encoder_decoder and "decoder_input_ids" in self.accepts:
            inputs["decoder_input_ids"] = ids
        if "pixel_values" in self.accepts - inputs.keys() and getattr(
            self.config, "image_size", None
        ):  # one network for both, such as ViLT
            inputs["pixel_values"] = make.floats(batch, *self._picture())
        return inputs

    def _any_batch(self, make: Generator, batch: int, length: int) -> Batch:
        """For Perceiver, which calls them ``inputs`` whatever they are."""
        if "Image" in self.class_name:
            inputs: Batch = {"inputs": make.floats(batch, *self._picture())}
        else:
            inputs = {"inputs": self._tokens(make, batch, length)}
        if "labels" in self.accepts:
            masked = self._ends("MaskedLM")
            inputs["labels"] = inputs["inputs"] if masked else self._classes(make, batch)
        return inputs

    def _series_batch(self, make: Generator, batch: int, length: int) -> Batch:
        """Time series: what was, what it is known to be and what is to come."""
        config = self.config
        channels = int(getattr(config, "num_input_channels", None) or 1)
        channels = max(channels, int(getattr(config, "input_size", None) or 1))
        past = int(config.context_length) + max(getattr(config, "lags_sequence", None) or [0])
        future = int(getattr(config, "prediction_length", None) or 1)
        several = hasattr(config, "num_input_channels") or channels > 1
        shape = (channels,) if several else ()
        features = int(getattr(config, "num_time_features", 0) or 0)
        inputs: Batch = {"past_values": make.floats(batch, past, *shape)}
        for name, made in (
            ("past_time_features", (batch, past, features)),
            ("past_observed_mask", (batch, past, *shape)),
            ("future_time_features", (batch, future, features)),
            ("future_values", (batch, future, *shape)),
        ):
            if name in self.accepts:
                inputs[name] = make.floats(*made, uniform=name == "past_observed_mask")
        if self._ends("Regression"):
            inputs["target_values"] = make.floats(batch, int(getattr(config, "num_targets", 1)))
        elif self._ends("Classification"):
            inputs["target_values"] = self._classes(make, batch)
        return {name: value for name, value in inputs.items() if name in self.accepts}

    def _tokens(self, make: Generator, *shape: int) -> torch.Tensor:
        vocabulary = int(getattr(self.text, "vocab_size", None) or 1)
        ids = make.integers(*shape, below=vocabulary, avoid=self._special_tokens())
        # BART's and T5's classifiers read the state at the end token, one in every sample.
        end = getattr(self.text, "eos_token_id", None)
        if self.config.is_encoder_decoder and self._ends("SequenceClassification") and end:
            ids[..., -1] = end
        return ids

    def _special_tokens(self) -> set[int]:
        found: set[int] = set()
        for config in (self.config, self.text):
            for name, value in vars(config).items():
                if name.endswith(("_token_id", "_token_index")):
                    values = value if isinstance(value, (list, tuple)) else [value]
                    found |= {item for item in values if isinstance(item, int)}
        return found

    # Pictures

    def _picture_batch(self, make: Generator, batch: int, length: int) -> Batch:
        channels, height, width = self._picture()
        inputs: Batch = {"pixel_values": make.floats(batch, channels, height, width)}
        if self._ends("ImageClassification", "ImageClassificationWithTeacher"):
            if "labels" in self.accepts:
                inputs["labels"] = self._classes(make, batch)
        elif self._ends("SemanticSegmentation"):
            inputs["labels"] = make.integers(batch, height, width, below=self._label_count())
        elif self._ends("ObjectDetection"):
            inputs["labels"] = [self._objects(make) for _ in range(batch)]
        elif self._ends("MaskedImageModeling") and "bool_masked_pos" in self.accepts:
            inputs["bool_masked_pos"] = make.flags(batch, self._patches(height, width))
        elif self._takes_videos():
            inputs = self._video_batch(make, batch, length)
        elif self.config.is_encoder_decoder and "labels" in self.accepts:
            inputs["labels"] = self._tokens(make, batch, length)
        elif "input_ids" in self.accepts:
            inputs["input_ids"] = self._tokens(make, batch, length)
            if "labels" in self.accepts:
                inputs["labels"] = inputs["input_ids"]
        return inputs

    def _takes_videos(self) -> bool:
        return self._ends("VideoClassification") or bool(getattr(self.config, "num_frames", None))

    def _patches(self, height: int, width: int) -> int:
        patch = sides(getattr(self.config, "patch_size", 16))
        return (height // patch[0]) * (width // patch[1])

    def _video_batch(self, make: Generator, batch: int, length: int) -> Batch:
        count = int(getattr(self.config, "num_frames", None) or 16)
        channels, height, width = self._picture()
        inputs: Batch = {self.main_input: make.floats(batch, count, channels, height, width)}
        if "labels" in self.accepts:
            inputs["labels"] = self._classes(make, batch)
        if "bool_masked_pos" in self.needs:
            places = count // int(getattr(self.config, "tubelet_size", 1))
            inputs["bool_masked_pos"] = make.flags(batch, places * self._patches(height, width))
        return inputs

    def _objects(self, make: Generator) -> dict[str, torch.Tensor]:
        boxes = make.floats(BOXES, 4, uniform=True) * 0.4 + 0.1  # centre and size, inside
        return {
            "class_labels": make.integers(BOXES, below=self._label_count()),
            "boxes": boxes,
        }

    def _picture(self) -> tuple[int, int, int]:
        dense = self._ends("ObjectDetection", "Segmentation")
        return picture_shape(self.config, dense=dense)

    # Sound

    def _sound_batch(self, make: Generator, batch: int, length: int) -> Batch:
        inputs: Batch = {
            self.main_input: make.floats(batch, *sound_shape(self.config, self.main_input, length))
        }
        if self._ends("AudioFrameClassification"):
            count = frames(self.config, inputs[self.main_input].shape[-1])
            inputs["labels"] = make.floats(batch, count, self._label_count(), uniform=True)
        elif self._ends("AudioClassification", "SequenceClassification", "XVector"):
            inputs["labels"] = self._classes(make, batch)
        elif self.config.is_encoder_decoder and "labels" in self.accepts:
            inputs["labels"] = self._tokens(make, batch, length)
        elif self.config.is_encoder_decoder and "decoder_input_ids" in self.accepts:
            inputs["decoder_input_ids"] = self._tokens(make, batch, length)
        elif self._ends("CTC"):
            inputs["labels"] = self._tokens(make, batch, max(1, length // 4))
        elif "labels" in self.accepts:
            inputs["labels"] = self._classes(make, batch)
        return inputs

    # Labels

    def _classes(self, make: Generator, batch: int) -> torch.Tensor:
        count = self._label_count()
        kind = getattr(self.config, "problem_type", None)
        if kind == "multi_label_classification":
            return make.floats(batch, count, uniform=True)
        if kind == "regression" or count == 1:
            return make.floats(batch) if count == 1 else make.floats(batch, count)
        return make.integers(batch, below=count)

    def _label_count(self) -> int:
        return int(getattr(self.config, "num_labels", None) or 1)

    def _ends(self, *endings: str) -> bool:
        return self.class_name.endswith(tuple("For" + ending for ending in endings)) or (
            self.class_name.endswith(endings)
        )


def _text_config(config: Any) -> Any:
    try:
        return config.get_text_config(decoder=bool(config.is_encoder_decoder) or None)
    except ValueError:  # several parts take text: the tokens follow the whole
        return config


def _shapes(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        return {name: _shapes(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shapes(item) for item in value]
    return value
