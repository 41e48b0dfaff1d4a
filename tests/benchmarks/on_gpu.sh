#!/bin/sh
# All that docs/results/gpu.md shows but for the demo, on a machine with a GPU: some five minutes.
cd "$(dirname "$0")" || exit
large="--shape roberta-large"
python3 pretraining_throughput.py $large --batch-size 1024 --steps 30 --slow-steps 2 --no-trainer
python3 pretraining_throughput.py $large --steps 60 --slow-steps 5 --no-trainer
python3 finetuning_throughput.py $large
python3 inference_throughput.py $large --sentences 1024
