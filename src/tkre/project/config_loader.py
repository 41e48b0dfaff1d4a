"""The project's configuration: Kedro's, with assembled and typed parameters.

Kedro builds pipelines without giving them a configuration, but which cells there are is
configuration. In a run the session's own loader is used (it knows ``--env``, ``--conf-source``
and ``--params``); commands that have no session read ``conf/`` of the project they stand in.
"""

from __future__ import annotations

import os
import sys
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from tkre.core.documents import DocumentError, parse_yaml, shown
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
        except _UnreadFile as error:
            corpus = corpus_of_file(error.file)
            if corpus is None or error.file in self._passed_over:
                raise
            self._passed_over.add(error.file)
            self._unread[corpus] = str(error)
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
        # Kedro's own messages on most of what can be wrong have no file.
        with self._fs.open(path.as_posix()) as file:
            _require_entries(file.read(), path)
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


class _UnreadFile(ConfigurationError):
    """A file of the configuration that cannot be read; the message names it."""

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(reason)
        self.file = path.name


@cache  # several loaders of a process read the same files
def _require_entries(content: bytes, path: Path) -> None:
    """Refuse a file that is not YAML with entries by their names."""
    try:
        found = parse_yaml(decoded(content, path))
        corpora = found.get("corpora") if isinstance(found, dict) else None
        for value, what in ((found, "the file"), (corpora, "corpora")):
            if not isinstance(value, dict | None):
                raise DocumentError(f"{what} has entries by their names, not {shown(value)}")
    except EncodingError as error:
        raise _UnreadFile(str(error), path) from None
    except DocumentError as error:
        raise _UnreadFile(f"{path}, line {error.line or 1}: {error}", path) from None


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
