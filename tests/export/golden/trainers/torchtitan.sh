# bash torchtitan.sh
# For llama-3.1-8b (LlamaForCausalLM) on H100 80GB.
# What torchtitan cannot say:
# - Batch, gradients are cleared (training.zero_grad=after_step): runs with
#   training.zero_grad=before_forward; torchtitan clears gradients before the step.
# - Optimizer, implementation (optimizer.implementation=auto): runs with
#   optimizer.implementation=fused.
# - Loss, method (loss.method=whole): runs with loss.method=chunked; torchtitan computes the loss in
#   chunks.
# - Cards, loss parallel (sharding.loss_parallel=False): runs with sharding.loss_parallel=True.

set -euo pipefail
torchrun --nnodes 1 --nproc_per_node 8 \
    -m torchtitan.train \
    --module llama3 \
    --config llama3_8b \
    --training.seq_len 4096 \
    --training.local_batch_size 1 \
    --training.global_batch_size 16 \
    --training.dtype float32 \
    --training.mixed_precision_param bfloat16 \
    --parallelism.data_parallel_replicate_degree 1 \
    --parallelism.data_parallel_shard_degree 4 \
    --parallelism.fsdp_reshard_after_forward always \
    --parallelism.tensor_parallel_degree 2 \
    --parallelism.no-enable-sequence-parallel \
    --optimizer.implementation fused \
    "$@" \
    activation-checkpoint:full
