"""Checkpoints: a model with its tokenizer and lineage, in memory and as Hugging Face files.

Importing this module imports neither torch nor transformers, so that node signatures may name
``Checkpoint``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkre.core.files import follow_umask, require_readable
from tkre.core.provenance import LINEAGE_FILE, Lineage, LineageError
from tkre.modeling.weights import torn_files_named

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ASSISTED_GENERATION = "transformers.generation.candidate_generator"


@dataclass(frozen=True)
class Checkpoint:
    """A model as it passes between the nodes that train.

    Attributes:
        model: A Hugging Face model.
        tokenizer: Its tokenizer.
        lineage: The steps that made it.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    lineage: Lineage

    def save(self, folder: Path) -> None:
        """Writes config, safetensors, tokenizer and lineage; loads with ``from_pretrained``."""
        folder.mkdir(parents=True, exist_ok=True)
        with quiet_transformers():
            self.model.save_pretrained(folder)
        self.save_tokenizer_and_lineage(folder)
        follow_umask(folder, LINEAGE_FILE)

    def save_tokenizer_and_lineage(self, folder: Path) -> None:
        """Writes the files beside a model."""
        with quiet_transformers():
            self.tokenizer.save_pretrained(folder)
        content = json.dumps(self.lineage.model_dump(mode="json"), indent=2)
        (folder / LINEAGE_FILE).write_text(content + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, model_class: Any) -> Checkpoint:
        """The checkpoint in a folder.

        Args:
            folder: Folder that ``save`` wrote.
            model_class: Class with a ``from_pretrained``.

        Raises:
            LineageError: The digest of the weights is not that of the lineage.
            PermissionError: A file cannot be read.
            WeightsError: A file is torn.
        """
        require_readable(folder)
        from transformers import AutoTokenizer

        with quiet_transformers(), torn_files_named(folder):
            model = model_class.from_pretrained(folder)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        lineage = Lineage.from_file(folder / LINEAGE_FILE)
        if (found := weights_digest(model)) != lineage.weights:
            raise LineageError(
                f"{folder}: its weights have the digest {found[:12]}..., its lineage says "
                f"{lineage.weights[:12]}...: the files were changed after they were written. "
                "Make it again, or take another version."
            )
        return cls(model, tokenizer, lineage)


def weights_digest(model: PreTrainedModel) -> str:
    """SHA-256 over the names and values of a model's parameters and buffers, in name order."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(str(tensor.dtype).encode())
        # As bytes: numpy has no bfloat16.
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def import_without_sklearn() -> None:
    """Imports the one module of transformers that imports scikit-learn, without it: 0.5 s less.

    Every model imports assisted generation, which imports scikit-learn for a threshold that a draft
    model can adapt. During that import scikit-learn is reported as missing, which the module
    supports; other modules are not affected.
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
    """The fast tokenizer of a checkpoint.

    Its file is complete: the class of its architecture, which ``AutoTokenizer`` would search among
    all models, is not needed.

    Raises:
        WeightsError: A file is torn.
    """
    from transformers import PreTrainedTokenizerFast

    with torn_files_named(folder):
        return PreTrainedTokenizerFast.from_pretrained(folder)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Limits transformers to error messages, without progress bars."""
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
