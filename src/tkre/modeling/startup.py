"""Loading transformers without what nothing here needs of it: half a second of every start.

Transformers reports every load of a checkpoint with a bar and a table; a run has many loads.
"""

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
    ``scipy.stats``, for a threshold that a draft model can adapt. The module is told that there is
    no scikit-learn, which it provides for; whoever has loaded it before keeps it as it is, and
    nobody else is told.
    """
    if ASSISTED_GENERATION in sys.modules or "sklearn" in sys.modules:
        return
    import transformers.utils

    told = transformers.utils.is_sklearn_available
    transformers.utils.is_sklearn_available = lambda: False
    try:
        import transformers.generation.candidate_generator
    finally:
        transformers.utils.is_sklearn_available = told


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The fast tokenizer that was saved with a checkpoint.

    Its file says all that it does, so it needs no class of its architecture's, which
    ``AutoTokenizer`` would look for among all models.
    """
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Errors only, and no bars, while a checkpoint is loaded."""
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
