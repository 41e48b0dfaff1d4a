#!/bin/sh
# All that docs/results/gpu.md shows, on a machine with a GPU: ten minutes or less.
set -e
cd "$(dirname "$0")/../.."
large="--shape roberta-large"
python3 tests/benchmarks/pretraining_throughput.py $large --batch-size 1024 --steps 20 --slow-steps 2
python3 tests/benchmarks/pretraining_throughput.py $large --steps 60 --slow-steps 10
python3 tests/benchmarks/finetuning_throughput.py $large
python3 tests/benchmarks/inference_throughput.py $large --sentences 4096
