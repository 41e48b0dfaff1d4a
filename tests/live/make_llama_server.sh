#!/usr/bin/env bash
# Builds `llama-server` of llama.cpp for this machine's CPU, from the sources that llama_cpp_python
# brings (PyPI), and installs the package that writes its files. Needs git, cmake, ninja and g++.
#
#   tests/live/make_llama_server.sh FOLDER
#   PATH=FOLDER/bin:$PATH pytest -m slow tests/live/test_llama_server.py
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,6s/^# \?//p' "$0" >&2; exit 2; }
folder="$1"
package=llama_cpp_python
release=0.3.36

mkdir -p "$folder"
python3 -m pip install -q gguf
python3 -m pip download -q --no-deps --no-binary "$package" -d "$folder" "$package==$release"
tar -xzf "$folder/$package-$release.tar.gz" -C "$folder"
# Without the web page, which would be downloaded.
cmake -S "$folder/$package-$release/vendor/llama.cpp" -B "$folder" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
    -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
ninja -C "$folder" llama-server
"$folder/bin/llama-server" --version
