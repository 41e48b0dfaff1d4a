"""Corpora whose entry in ``conf/`` cannot be used: they are left out, and all others go on."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tkre.corpora.params import CorpusParams
from tkre.project.config import ConfigurationError, parse

logger = logging.getLogger(__name__)
# Files of one corpus, as `kedro corpus new` makes them.
_OF_CORPUS = re.compile(r"(?:parameters_corpora|experiments)_(\w+)\.ya?ml")


def corpus_of_file(name: str) -> str | None:
    """Corpus that a file of the configuration is about alone."""
    found = _OF_CORPUS.fullmatch(name)
    return found[1] if found else None


def without_broken(
    parameters: Mapping[str, Any], unread: Mapping[str, str], given: Iterable[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Leave out broken corpora and the experiments that use them.

    Args:
        parameters: All parameters, as assembled.
        unread: Reason by corpus whose file could not be read.
        given: Corpora that ``--params`` changes; what is wrong with them is left in.

    Returns:
        The other parameters, and the reason by corpus and experiment that is left out.
    """
    corpora = parameters.get("corpora")
    if not isinstance(corpora, Mapping):
        return dict(parameters), dict(unread)
    broken = dict(unread)
    for name, entry in corpora.items():
        if name in broken or name in given:
            continue
        try:
            parse(CorpusParams, entry, f"corpora.{name}")
        except ConfigurationError as error:
            broken[name] = str(error)
    for name, reason in broken.items():
        logger.warning("the corpus %s is left out: %s", name, reason)
    experiments = {}
    for name, grid in (parameters.get("experiments") or {}).items():
        used = grid.get("corpora") if isinstance(grid, Mapping) else None
        bad = [c for c in used if c in broken] if isinstance(used, list) else []
        if bad:
            broken.setdefault(name, broken[bad[0]])
        else:
            experiments[name] = grid
    kept = {name: entry for name, entry in corpora.items() if name not in broken}
    return {**parameters, "corpora": kept, "experiments": experiments}, broken
