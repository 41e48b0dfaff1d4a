"""``python -m tests.parity.record [pytest arguments]``: pins what the code gives now.

Only on a commit whose numbers are known to be good; ``-m "not slow"`` leaves out the demo, which
takes minutes, and ``-k`` chooses tests. Values of whole runs are pinned by kind of machine
(bf16, fp32).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.parity.pins import RECORD

if __name__ == "__main__":
    os.environ[RECORD] = "1"
    sys.exit(
        pytest.main([str(Path(__file__).parent), "-q", "-p", "no:cacheprovider", *sys.argv[1:]])
    )
