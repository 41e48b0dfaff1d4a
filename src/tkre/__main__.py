"""The packaged project as a command: ``tkre`` is ``kedro run`` without the source tree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from kedro.framework.project import configure_project

from tkre.cli.run import run


def main(*args: Any, **kwargs: Any) -> Any:
    """Runs the project's run command on this package."""
    configure_project(Path(__file__).parent.name)
    return run(*args, **{"standalone_mode": not hasattr(sys, "ps1"), **kwargs})


if __name__ == "__main__":
    main()
