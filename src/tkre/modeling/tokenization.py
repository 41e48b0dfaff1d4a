"""Texts as tokens, and which characters a token covers: what every form of an instance is made of.

Nothing here needs torch or transformers: a tokenizer is whatever answers like one of theirs.

The tokenizer in a classifier's folder without transformers, which takes seconds to import.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as Backend

from tkre.core.instance import Span

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Tokenizer(Protocol):
    """What encoding needs of a tokenizer: a fast one of transformers, or a ``FileTokenizer``.

    Attributes:
        mask_token_id: Of the token that stands for what is to be guessed, if it has one.
        sep_token_id: Of the token that ends a part, if it has one.
    """

    mask_token_id: Any
    sep_token_id: Any

    def __call__(
        self,
        text: str | list[str],
        *,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        return_special_tokens_mask: bool = False,
        truncation: Literal[False] = False,
        verbose: bool = True,
    ) -> Any:
        """Tokens of a text, or of texts, whole, by the names that transformers gives them."""


class Encoded:
    """An instance as T tokens: what every head's own form of it has.

    Attributes:
        input_ids: T token ids.
        truncated: Whether tokens were cut off.
    """

    input_ids: Ints
    truncated: bool

    def __len__(self) -> int:
        return len(self.input_ids)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What the classifier reads, by the name it has there; the last dimension is padded."""
        names = [field.name for field in fields(self) if field.name != "truncated"]  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}


def tokenised(texts: Sequence[str], tokenizer: Tokenizer) -> Iterator[tuple[Ints, Ints, Flags]]:
    """For each text its T token ids, T x 2 character offsets, T flags of special tokens.

    Args:
        texts: Whole, however long.
        tokenizer: A fast one.
    """
    if not texts:
        return
    encoded = tokenizer(
        list(texts),
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        truncation=False,
        verbose=False,
    )
    for n in range(len(texts)):
        yield (
            np.array(encoded["input_ids"][n]),
            np.array(encoded["offset_mapping"][n]).reshape(-1, 2),
            np.array(encoded["special_tokens_mask"][n], dtype=bool),
        )


def covered(offsets: Ints, spans: Sequence[Span]) -> Flags:
    """Which tokens share a character with one of the spans.

    Args:
        offsets: T x 2 character offsets; empty ones (special tokens) are never covered.
        spans: In the same text.
    """
    flags = np.zeros(len(offsets), dtype=bool)
    for span in spans:
        flags |= (offsets[:, 0] < span.end) & (offsets[:, 1] > span.start)
    return flags & (offsets[:, 1] > offsets[:, 0])


def window(mentions: Flags, special: Flags, max_length: int) -> Ints:
    """The places of the tokens to keep: special ones and those around the mentions.

    If the mentions are too far apart for one window, half of it goes to either.

    Args:
        mentions: T flags.
        special: T flags.
        max_length: In tokens, special ones included.
    """
    size = len(special)
    if size <= max_length:
        return np.arange(size)
    room = max_length - int(special.sum())
    real = np.flatnonzero(~special)
    needed = np.flatnonzero(mentions[real])
    first, last = int(needed[0]), int(needed[-1])
    if last - first < room:
        start = min(max(0, (first + last + 1 - room) // 2), len(real) - room)
        kept = np.arange(start, start + room)
    else:
        half = room // 2
        kept = np.concatenate(
            [np.arange(first, first + room - half), np.arange(last + 1 - half, last + 1)]
        )
    return np.sort(np.concatenate([real[kept], np.flatnonzero(special)]))


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
