"""The packaged project as a command: ``tkre`` is ``kedro run`` without the source tree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project

from tkre.core.terminal import set_up


def main(*args: Any, **kwargs: Any) -> Any:
    """Runs Kedro's run command on this package."""
    set_up()
    package = Path(__file__).parent.name
    configure_project(package)
    interactive = hasattr(sys, "ps1")
    kwargs["standalone_mode"] = not interactive
    return find_run_command(package)(*args, **kwargs)


if __name__ == "__main__":
    main()
