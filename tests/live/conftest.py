from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.runs import serving


@pytest.fixture(scope="module")
def served(tiny_llama: Path, tmp_path_factory) -> Iterator[str]:
    """The address of a vLLM server."""
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(tiny_llama),
        "--served-model-name", "tiny", "--max-model-len", "2048", "--enforce-eager",
        "--no-enable-chunked-prefill", "--structured-outputs-config",
        '{"backend": "guidance", "disable_any_whitespace": true}',
    ]  # fmt: skip
    with serving(command, tmp_path_factory.mktemp("server") / "log") as address:
        yield address
