"""A model with its tokenizer and its lineage, in memory and as a folder of Hugging Face files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkre.core.provenance import LINEAGE_FILE, Lineage, LineageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Checkpoint:
    """What passes between the nodes that train.

    Importing this module does not import torch, so that node signatures may name it.

    Attributes:
        model: A Hugging Face model.
        tokenizer: The one it was trained with.
        lineage: What it was made from, step by step.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    lineage: Lineage

    def save(self, folder: Path) -> None:
        """Writes config, safetensors, tokenizer and lineage; loads with ``from_pretrained``."""
        from tkre.modeling.startup import quiet_transformers

        folder.mkdir(parents=True, exist_ok=True)
        with quiet_transformers():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        content = json.dumps(self.lineage.model_dump(mode="json"), indent=2)
        (folder / LINEAGE_FILE).write_text(content + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, model_class: Any) -> Checkpoint:
        """The checkpoint in a folder.

        Args:
            folder: That ``save`` wrote.
            model_class: With a ``from_pretrained``.

        Raises:
            LineageError: The weights are not those that the lineage speaks of.
        """
        from transformers import AutoTokenizer

        from tkre.modeling.startup import quiet_transformers

        with quiet_transformers():
            model = model_class.from_pretrained(folder)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        lineage = Lineage.model_validate_json((folder / LINEAGE_FILE).read_text(encoding="utf-8"))
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
        # numpy has no bfloat16; the bytes are what counts.
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
