"""The project's configuration: Kedro's, with assembled and typed parameters.

Kedro builds pipelines without giving them a configuration, but which cells there are is
configuration. In a run the session's own loader is used (it knows ``--env``, ``--conf-source``
and ``--params``); commands that have no session read ``conf/`` of the project they stand in.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from tkre.core.files import EncodingError, decoded
from tkre.core.params import did_you_mean
from tkre.project.broken import corpus_of_file, without_broken
from tkre.project.config import ConfigurationError, ExperimentConfig, assembled

# Kedro looks for ibis at each of some thousand parameters; a miss that is known costs no search.
if find_spec("ibis") is None:
    sys.modules.setdefault("ibis", None)  # type: ignore[arg-type]


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader, whose parameters are assembled (``tkre.project.config``).

    Here, so that everything that reads parameters, nodes by ``params:`` included, sees the same.
    """

    # Kedro gives register_pipelines no argument.
    of_session: ClassVar[ConfigLoader | None] = None

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of a kind, e.g. ``parameters``; parameters are read once."""
        try:
            content: dict[str, Any] = super().__getitem__(key)
        except (yaml.YAMLError, EncodingError) as error:
            reason = _not_yaml(error) if isinstance(error, yaml.YAMLError) else str(error)
            file = Path(reason.partition(",")[0]).name
            corpus = corpus_of_file(file)
            if corpus is None or file in self._passed_over:
                raise ConfigurationError(reason) from error
            self._passed_over.add(file)
            self._unread[corpus] = reason
            return self[key]
        if key == "parameters" and key not in self:
            self[key] = content = assembled(content, self["experiments"])
        return content

    def __init__(self, conf_source: str, env: str | None = None, **given: Any) -> None:
        source = Path(conf_source)
        if env and source.is_dir() and not (source / env).is_dir():
            known = sorted(path.name for path in source.iterdir() if path.is_dir())
            raise ConfigurationError(
                f"there is no environment {env!r} in {source.name}/{did_you_mean(env, known)}"
            )
        self._unread: dict[str, str] = {}  # reason by corpus
        self._passed_over: set[str] = set()  # names of files
        super().__init__(conf_source, env, **given)

    def _is_valid_config_path(self, path: Path) -> bool:
        if path.name in self._passed_over or not super()._is_valid_config_path(path):
            return False
        # Kedro's own message on another encoding has no file.
        with self._fs.open(path.as_posix()) as file:
            decoded(file.read(), path)
        return True

    @cached_property
    def config(self) -> ExperimentConfig:
        """The experiment config; reading it checks all parameters."""
        given = (self.runtime_params or {}).get("corpora", {})
        return ExperimentConfig(*without_broken(self["parameters"], self._unread, given))


class Context(KedroContext):
    """Kedro's context, whose parameters are the models of the experiment config.

    Kedro would build every registered pipeline to learn the types of parameters from its nodes.
    """

    @property
    def params(self) -> dict[str, Any]:
        """All parameters, validated."""
        return dict(self.config_loader.config.parameters)


def _not_yaml(error: yaml.YAMLError) -> str:
    """Kedro names the file, and counts its lines from 0; what is wrong is in the error before."""
    cause = error.__cause__
    mark = cause.problem_mark if isinstance(cause, yaml.MarkedYAMLError) else None
    if mark is None:
        return str(error)
    file = str(error).partition(",")[0].removeprefix("Invalid YAML or JSON file ")
    return f"{file}, line {mark.line + 1}: not YAML: {cause.problem}"  # type: ignore[union-attr]


def remember(loader: ConfigLoader) -> None:
    """Takes the loader of the session that has just begun."""
    ConfigLoader.of_session = loader


def read_config() -> ExperimentConfig:
    """The experiment config of the session, or of the project around the working directory.

    A session's is read once: what it runs is what it has checked.
    """
    loader = ConfigLoader.of_session
    return (new_loader() if loader is None else loader).config  # an unread loader is an empty dict


def new_loader(env: str | None = None) -> ConfigLoader:
    """A loader of the project around the working directory, without a session.

    Args:
        env: Environment of the configuration; None for that of ``KEDRO_ENV``.
    """
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    loader: ConfigLoader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(project / settings.CONF_SOURCE),
        env=env or os.environ.get("KEDRO_ENV"),
        **settings.CONFIG_LOADER_ARGS,
    )
    return loader
