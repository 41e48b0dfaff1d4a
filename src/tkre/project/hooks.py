"""What happens around a run: parameters and inputs are checked before, results are told after.

Kedro reads this module in every command; what only a run needs is imported where it is used.
"""

from __future__ import annotations

import errno
from typing import IO, Any

from click import ClickException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline

from tkre.core.errors import UserError
from tkre.core.terminal import say
from tkre.pipelines.namespaces import GPU, LANGUAGE_MODEL, LANGUAGE_MODELS
from tkre.project import config_loader as configuration

# What checks before a run and commands raise, those of libraries included. Of a run's nodes only a
# ``UserError`` is a refusal: anything else is a defect and keeps its traceback.
REFUSALS = (UserError, ValueError, RuntimeError, LookupError, OSError)

# A full disk, a folder that cannot be written: nothing of the project's to be traced. By their
# texts, since a worker's error arrives without its cause; the dataset before them names the file.
_OF_MACHINE = [
    sign
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)
    for sign in (f"[Errno {number}]", f"(os error {number})")
]


class Refusal(ClickException):
    """A run that is refused. The command line shows the message alone, without a traceback."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        say(f"Error: {self.format_message()}", err=True)


class ProjectHooks:
    """Kedro hooks of the project."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Refuses parameters that do not exist or cannot be; remembers the configuration."""
        configuration.remember(context.config_loader)
        try:
            self._config = configuration.read_config()
        except (UserError, ValueError) as error:
            raise Refusal(str(error)) from error

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Refuses a run that is bound to fail, before it writes or trains anything."""
        from tkre.project.preflight import check_lengths, preflight
        from tkre.project.selection import misspelt

        if words := misspelt(run_params):  # Kedro passes over an unknown tag beside a known one
            raise Refusal(words)
        try:
            check_lengths(pipeline, catalog, self._config.parameters.variants)
            preflight(pipeline, catalog, self._config.parameters.generation)
        except REFUSALS as error:
            raise Refusal(str(error)) from error

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """Closes language models before another node takes the GPU."""
        if GPU in node.tags and LANGUAGE_MODEL not in node.tags:
            _close_language_models(catalog)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Shows the tables of the experiments that have just been reported, and where all lies."""
        from tkre.project.summary import show_results

        _close_language_models(catalog)
        show_results(pipeline, catalog)

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: CatalogProtocol) -> None:
        """Closes language models. What stops a run and is no defect is shown without a trace."""
        _close_language_models(catalog)
        if isinstance(error, UserError) or any(sign in str(error) for sign in _OF_MACHINE):
            raise Refusal(str(error)) from error


def _close_language_models(catalog: CatalogProtocol) -> None:
    if LANGUAGE_MODELS in catalog:
        catalog.release(LANGUAGE_MODELS)
