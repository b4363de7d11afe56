"""What a script imports: only what the parts that are in it use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memplanner.export.python_source import Imports
from memplanner.export.script_distillation import add_distillation_imports
from memplanner.export.script_sharding import add_sharding_imports


def add_imports(imports: Imports, values: dict[str, Any]) -> None:
    """Adds what a script with these ``values`` of the template imports."""
    for module in ("argparse", "sys", "torch"):
        imports.add(module)
    if values["used"] is None or values["ids_shape"]:
        imports.add("pathlib", "Path")
    imports.add("torch", "nn")
    imports.add(
        "collections.abc", *(["Iterator"] if values["has_loss"] else ["Iterator", "Mapping"])
    )
    if any("os.getcwd" in line for line in values["model_lines"]):
        imports.add("os")
    if values["ids_shape"]:
        imports.add("itertools", "count")
    if values["accumulation"] > 1:
        imports.add("itertools", "islice")
    if values["tokenizer"]:
        imports.add("transformers", "AutoTokenizer")
    if values["kernel"]:
        imports.add("torch.nn.attention", "SDPBackend", "sdpa_kernel")
    on_host = values["host_updates"] or values["streamed"]
    if _wraps_by_partial(values) or values["in_backward"] or on_host:
        imports.add("functools", "partial")
    if values["compiled"] and values["memory_budget"] < 1:
        imports.add("torch._functorch.config")
    if values["policy"] != "none":
        imports.add("torch.utils.checkpoint", "checkpoint")
    if values["policy"] == "budget":
        imports.add("collections", "Counter")
    if values["policy"] in ("selective", "budget"):
        names = "CheckpointPolicy", "create_selective_checkpoint_contexts"
        imports.add("torch.utils.checkpoint", *names)
    if values["projected"]:
        imports.add("low_rank_updates", "LowRankUpdates")
    if values["optimizer_class"].startswith(("bitsandbytes", "torchao", "lion")):
        imports.add(values["optimizer_class"].rpartition(".")[0])
    pruned = values["pruned"]
    if pruned:
        names = ("Zeros", "put_zeros") if pruned.zeros else ("Smaller", "make_smaller")
        if pruned.schedule:
            imports.add("sparsity", "Schedule", "Zeros", "prune_gradually")
            imports.add("collections.abc", "Callable")
        else:
            imports.add("sparsity", *names)
        in_shares = values["sharded"] and values["sharded"].fully
        if pruned.masks and not values["lora"] and not in_shares:
            imports.add("sparsity", "make_permanent")
        if pruned.batches:
            imports.add("itertools", "islice")
    if values["quantized"]:
        if values["quantized"].float8:
            imports.add("low_bit", "use_float8")
        else:
            trained = values["quantized"].trained
            imports.add("low_bit", "Format", "round_layers" if trained else "quantize_layers")
            sharded = values["sharded"]
            if sharded and sharded.fully and not sharded.inside and not trained:
                imports.add("low_bit", "QuantizedLinear")
        if any("installed()" in argument for argument in values["quantized"].arguments):
            imports.add("low_bit", "installed")
    if any("Conv1D" in part.classes for part in (pruned, values["quantized"]) if part):
        imports.add("transformers.pytorch_utils", "Conv1D")
    if values["distilled"]:
        add_distillation_imports(imports, values["distilled"])
    if values["chunked_loss"]:
        imports.add("chunked_loss", "chunk_loss")
    if values["offload"]:
        imports.add("kept_on_host", "keep_on_host")
    if values["host_updates"]:
        imports.add("host_updates", "HostUpdates")
    if values["streamed"]:
        imports.add("host_updates", "on_host")
        imports.add("streamed_blocks", "settle", "stream_blocks")
    if values["lora"]:
        imports.add("peft", "LoraConfig", "inject_adapter_in_model")
    if values["sharded"]:
        add_sharding_imports(imports, values)
    used = values["used"]
    if used is not None:
        imports.add("time", "perf_counter")
        if used.cache_maker:
            imports.add("kv_cache", used.cache_maker)
    elif not (values["sharded"] and (values["sharded"].fully or values["sharded"].inside)):
        imports.add("safetensors.torch", "save_file" if values["lora"] else "save_model")


def _wraps_by_partial(values: Mapping[str, Any]) -> bool:
    """Whether recomputation is written so, or what a selective policy keeps."""
    selective = values["policy"] == "selective" and not values["halved_products"]
    return values["policy"] != "none" and (selective or not values["compiled"])
