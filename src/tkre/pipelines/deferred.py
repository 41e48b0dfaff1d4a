"""Pipelines that are put together when something asks what is in them.

Kedro registers all pipelines of a project in every command, of which most need their names and
one or none of their graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any

from kedro.pipeline import Pipeline

# Of all of them: one is often made of others.
_making = RLock()


class DeferredPipeline(Pipeline):
    """A pipeline whose parts are asked for when it is first used; from then on as any other.

    The values of Kedro's registry have to be deferred one by one: it copies the registry into a
    plain dictionary whenever its names are listed.

    Args:
        parts: Gives the pipelines that it is made of. If it fails, it is asked again next time.
    """

    def __init__(self, parts: Callable[[], Iterable[Pipeline]]) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        """Python calls this for attributes that are not there: all that ``Pipeline`` sets."""
        with _making:
            if name not in vars(self) and (parts := vars(self).get("_parts")):
                super().__init__(list(parts()))
                del self._parts
        return object.__getattribute__(self, name)
