"""What happens around a run: parameters and inputs are checked before, results are told after."""

from __future__ import annotations

from typing import Any

from click import ClickException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from tkre import configuration
from tkre.preflight import preflight
from tkre.summary import show_results

# What the project's own checks raise. Anything else is a defect and keeps its traceback.
_REFUSALS = (ValueError, RuntimeError, LookupError, OSError)


class Refusal(ClickException):
    """A run that is refused. The command line shows the message alone, without a traceback."""


class ProjectHooks:
    """Kedro hooks of the project."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Refuses parameters that do not exist or cannot be; remembers the configuration."""
        configuration.remember(context.config_loader)
        try:
            self._book = configuration.read_book()
        except ValueError as error:
            raise Refusal(str(error)) from error

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Refuses a run that is bound to fail, before it writes or trains anything."""
        replaying = self._book.parameters.generation.language_model.backend == "replay"
        try:
            preflight(pipeline, catalog, replaying=replaying)
        except _REFUSALS as error:
            raise Refusal(str(error)) from error

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Shows the tables of the experiments that have just been reported, and where all lies."""
        show_results(pipeline, catalog)
