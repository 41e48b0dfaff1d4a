"""The tokenizer in a classifier's folder without transformers, which takes seconds to import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self

from tokenizers import Tokenizer as Backend

TOKENIZER_FILE, SETTINGS_FILE = "tokenizer.json", "tokenizer_config.json"


class FileTokenizer:
    """What a fast tokenizer of transformers does for an encoding, from the same file.

    ``tokenizer.json`` says all of how a text becomes tokens; transformers itself calls what is
    called here.

    Args:
        backend: The tokenizer of the package ``tokenizers``; texts are neither cut nor padded.
        mask: The token that stands for what is to be guessed, if there is one.
        separator: The token that ends a part, if there is one.

    Attributes:
        mask_token_id: The number of ``mask``.
        sep_token_id: The number of ``separator``.
    """

    def __init__(self, backend: Backend, mask: str | None, separator: str | None) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.mask_token_id = None if mask is None else backend.token_to_id(mask)
        self.sep_token_id = None if separator is None else backend.token_to_id(separator)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The tokenizer that was saved in a folder."""
        settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        backend = Backend.from_file(str(folder / TOKENIZER_FILE))
        backend.encode_special_tokens = bool(settings.get("split_special_tokens"))
        mask, separator = (_text(settings.get(f"{name}_token")) for name in ("mask", "sep"))
        return cls(backend, mask, separator)

    def __call__(
        self,
        text: str | list[str],
        *,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        return_special_tokens_mask: bool = False,
        truncation: Literal[False] = False,
        verbose: bool = True,
    ) -> dict[str, Any]:
        """Tokens of a text, or of texts, by the names that transformers gives them.

        Args:
            text: One, or a list.
            add_special_tokens: Those that stand around a text.
            return_offsets_mapping: Whether characters of the tokens are given, too.
            return_special_tokens_mask: Whether flags of special tokens are.
            truncation: Texts are left whole.
            verbose: Nothing is said in any case.
        """
        texts = [text] if isinstance(text, str) else text
        encoded = self._backend.encode_batch(texts, add_special_tokens=add_special_tokens)
        columns: dict[str, list[Any]] = {"input_ids": [e.ids for e in encoded]}
        if return_offsets_mapping:
            columns["offset_mapping"] = [e.offsets for e in encoded]
        if return_special_tokens_mask:
            columns["special_tokens_mask"] = [e.special_tokens_mask for e in encoded]
        return {n: column[0] for n, column in columns.items()} if isinstance(text, str) else columns


def _text(token: Any) -> str | None:
    """A token as its settings have it: as text, or as text with how it takes spaces."""
    return token["content"] if isinstance(token, dict) else token
