"""The project in a command: its configuration, catalog and corpora; options of several commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

import click
from kedro.config import AbstractConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol
from kedro.utils import find_kedro_project

from tkre.core.errors import UserError
from tkre.core.params import did_you_mean
from tkre.corpora.reading import CorpusFolder
from tkre.datasets.versions import Catalog
from tkre.generation.llm.store import ResponseStore
from tkre.generation.recorded import RecordedAnswers
from tkre.project.answers import RECORDINGS, recorded_answers
from tkre.project.config import ExperimentConfig
from tkre.project.config_loader import new_loader, read_config, remember
from tkre.project.hooks import REFUSALS, Refusal
from tkre.training.recipes import Variant

RAW, CONF = Path("data/01_raw"), Path("conf/base")
SOURCE = "Folder or archive of the configuration, as in kedro run."
PARAMETERS = "Parameters to override, as in kedro run: a.b=1,c=2."

Command = TypeVar("Command", bound=Callable[..., Any])
ENVIRONMENT = "Environment of the configuration, as in kedro run."
env_option = click.option("--env", "-e", default=None, help=ENVIRONMENT)


def sample_options(command: Command) -> Command:
    """Options that name a cell of a corpus: its variant and its sample."""
    for option in (
        click.option("--annotated", type=click.IntRange(0), default=0, show_default=True,
                     help="Unlabelled rows that a language model labels."),
        click.option("--seed", type=click.IntRange(0), default=13, show_default=True,
                     help="Seed of the sample."),
        click.option("--shots", "-k", type=click.IntRange(1), default=8, show_default=True,
                     help="K, rows per relation."),
        click.option("--variant", "-v", default="tkre_plus", show_default=True,
                     help="Variant of the planned run."),
    ):  # fmt: skip
        command = option(command)
    return command


class Project:
    """Configuration, catalog and corpora of the project, each loaded at its first use.

    Args:
        env: Environment of the configuration; None for that of ``KEDRO_ENV``.
        params: Parameters that override those of ``conf/``.
        conf_source: Folder or archive of the configuration.
        stack: Closes the Kedro session at the end of the command.
    """

    def __init__(
        self,
        env: str | None,
        params: dict[str, Any] | None,
        conf_source: str | None,
        stack: ExitStack,
    ) -> None:
        self._env, self._stack = env, stack
        self._given = {"runtime_params": params, "conf_source": conf_source}

    @cached_property
    def context(self) -> KedroContext:
        """Context of a Kedro session."""
        session = self._stack.enter_context(KedroSession.create(env=self._env, **self._given))
        return session.load_context()

    @cached_property
    def catalog(self) -> CatalogProtocol:
        """Catalog of the session, with ``params:``."""
        return self.context.catalog

    @cached_property
    def loader(self) -> AbstractConfigLoader:
        """Loader of the session, or of ``conf/`` if the command has none so far."""
        if "context" in vars(self):
            return self.context.config_loader
        loader = new_loader(self._env)
        remember(loader)  # pipelines are registered with it
        return loader

    @cached_property
    def config(self) -> ExperimentConfig:
        """Experiments and what they are made of."""
        _ = self.loader
        return read_config()

    def folder(self, corpus: str) -> CorpusFolder:
        """Folder of a corpus; it need not exist."""
        folder: CorpusFolder = self._load(f"{corpus}.folder")
        return folder

    def recorded(self, corpus: str) -> RecordedAnswers:
        """Recorded answers of a corpus, compared with it."""
        stores = self.stores(corpus)[: len(RECORDINGS)]
        return recorded_answers(self.folder(corpus), self.config.parameters.corpora[corpus], stores)

    def stores(self, corpus: str) -> list[ResponseStore]:
        """Answers of a corpus: recorded ones, then those of live models."""
        return [self._load(f"{corpus}.{name}") for name in (*RECORDINGS, "responses")]

    def _load(self, name: str) -> Any:
        """Dataset of the catalog that needs no session: 0.4 s of each command.

        Raises:
            UserError: The working directory is not the folder of the project; without a session
                paths lie in it, so files would be missed, and new ones made where nothing reads.
        """
        here = Path.cwd()
        if (root := find_kedro_project(here) or here) != here:
            raise UserError(
                f"this command works in the folder of the project: cd {quote(str(root))}"
            )
        kind = name.rpartition(".")[2]
        entries = self.loader["catalog"].items()
        catalog = Catalog.from_config({n: e for n, e in entries if n.endswith(f".{kind}")})
        return catalog.load(name)


@contextmanager
def session(
    env: str | None = None,
    *,
    params: dict[str, Any] | None = None,
    conf_source: str | None = None,
) -> Iterator[Project]:
    """Open the project for a command; refusals are printed without a traceback.

    Args:
        env: Environment of the configuration.
        params: Parameters that override those of ``conf/``.
        conf_source: Folder or archive of the configuration.

    Raises:
        Refusal: The project refuses the command.
    """
    try:
        with ExitStack() as stack:
            yield Project(env, params, conf_source, stack)
    except BrokenPipeError:  # of `kedro label ... | head`: click ends without a word
        raise
    except REFUSALS as error:
        raise Refusal(str(error)) from error


def variant_of(config: ExperimentConfig, name: str) -> Variant:
    """Variant by name.

    Raises:
        LookupError: There is no such variant.
    """
    variants = config.parameters.variants
    if name not in variants:
        raise LookupError(f"there is no variant {name!r}{did_you_mean(name, variants)}")
    return variants[name]


def require_corpus(config: ExperimentConfig, name: str) -> None:
    """Refuse an unknown corpus.

    Raises:
        LookupError: There is no such corpus; the message has the way out.
    """
    if name in config.parameters.corpora:
        return
    if name in config.broken:
        raise LookupError(config.broken[name])
    if (RAW / name).is_dir():
        raise LookupError(
            f"{RAW / name} is there, but conf/ has no entry corpora.{name}: put one into "
            f"conf/base/parameters_corpora_{name}.yml (docs/data.md), or let `kedro corpus new` "
            "make all files"
        )
    raise LookupError(
        f"there is no corpus {name!r}{did_you_mean(name, config.parameters.corpora)}; "
        f"`kedro corpus new {name}` makes one"
    )
