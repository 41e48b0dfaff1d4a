"""Imports transformers without scikit-learn, which saves 0.5 s, and loads checkpoints quietly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


ASSISTED_GENERATION = "transformers.generation.candidate_generator"


def import_without_sklearn() -> None:
    """Imports the one module of transformers that imports scikit-learn, without it.

    Every model pulls in assisted generation, and that scikit-learn, which pulls in ``joblib`` and
    ``scipy.stats``, for a threshold that a draft model can adapt. During the import of that module
    scikit-learn is reported as missing, which the module supports; other modules are not affected.
    """
    if ASSISTED_GENERATION in sys.modules or "sklearn" in sys.modules:
        return
    import transformers.utils

    available = transformers.utils.is_sklearn_available
    transformers.utils.is_sklearn_available = lambda: False
    try:
        import transformers.generation.candidate_generator
    finally:
        transformers.utils.is_sklearn_available = available


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The fast tokenizer that was saved with a checkpoint.

    Its file holds everything, so the class of its architecture, which ``AutoTokenizer`` would look
    up among all models, is not needed.
    """
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Limits transformers to error messages, without bars, while a checkpoint is loaded."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
