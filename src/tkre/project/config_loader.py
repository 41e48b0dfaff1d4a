"""The project's configuration where Kedro has none at hand: while pipelines are registered.

Kedro builds pipelines without giving them a configuration, but which cells there are is
configuration. In a run the session's own loader is used (it knows ``--env``, ``--conf-source``
and ``--params``); commands that have no session read ``conf/`` of the project they stand in.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from kedro.config import AbstractConfigLoader, OmegaConfigLoader
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from tkre.project.config import ConfigurationError, ExperimentConfig, assembled

# Kedro looks for ibis at each of some thousand parameters; a miss that is known costs no search.
if find_spec("ibis") is None:
    sys.modules.setdefault("ibis", None)  # type: ignore[arg-type]

_of_session: AbstractConfigLoader | None = None
_config: ExperimentConfig | None = None  # of that loader


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader, whose parameters are assembled (``tkre.project.config``).

    Here, so that everything that reads parameters, nodes by ``params:`` included, sees the same.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of a kind, e.g. ``parameters``."""
        try:
            content: dict[str, Any] = super().__getitem__(key)
        except yaml.YAMLError as error:
            raise ConfigurationError(_not_yaml(error)) from error
        return assembled(content, self["experiments"]) if key == "parameters" else content


def _not_yaml(error: yaml.YAMLError) -> str:
    """Kedro names the file, and counts its lines from 0; what is wrong is in the error before."""
    cause = error.__cause__
    mark = cause.problem_mark if isinstance(cause, yaml.MarkedYAMLError) else None
    if mark is None:
        return str(error)
    file = str(error).partition(",")[0].removeprefix("Invalid YAML or JSON file ")
    return f"{file}, line {mark.line + 1}: not YAML: {cause.problem}"  # type: ignore[union-attr]


def remember(loader: AbstractConfigLoader) -> None:
    """Takes the loader of the session that has just begun."""
    global _of_session, _config  # Kedro gives register_pipelines no argument
    _of_session, _config = loader, None


def read_config() -> ExperimentConfig:
    """The experiment config of the session, or of the project around the working directory.

    A session's is read once: what it runs is what it has checked.
    """
    global _config  # noqa: PLW0603
    if _of_session is None:
        return ExperimentConfig(new_loader()["parameters"])
    if _config is None:
        _config = ExperimentConfig(_of_session["parameters"])
    return _config


def new_loader(env: str | None = None) -> AbstractConfigLoader:
    """A loader of the project around the working directory, without a session.

    Args:
        env: Environment of the configuration; None for that of ``KEDRO_ENV``.
    """
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    return settings.CONFIG_LOADER_CLASS(
        conf_source=str(project / settings.CONF_SOURCE),
        env=env or os.environ.get("KEDRO_ENV"),
        **settings.CONFIG_LOADER_ARGS,
    )
