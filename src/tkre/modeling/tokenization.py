"""Texts as tokens with their characters, and the tokenizer of a folder without transformers.

Nothing here needs torch or transformers, which takes seconds to import.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as Backend

from tkre.core.documents import read_json
from tkre.core.instance import Span
from tkre.modeling.weights import torn_files_named

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
TOKENIZER_FILE, SETTINGS_FILE = "tokenizer.json", "tokenizer_config.json"


class Tokenizer(Protocol):
    """A fast tokenizer of transformers, or a ``FileTokenizer``, whose call has all arguments.

    Attributes:
        mask_token_id: Number of the mask token, or None.
        sep_token_id: Number of the token that ends a part, or None.
    """

    mask_token_id: Any
    sep_token_id: Any

    def __call__(self, *texts: Any, **options: Any) -> Any:
        """Tokens of a text, or of texts, by the names of transformers."""


@dataclass(frozen=True)
class Encoded:
    """An instance as T tokens; a head that reads more than the tokens has a subclass.

    Attributes:
        input_ids: T token ids.
        truncated: Whether tokens were cut off.
    """

    input_ids: Ints
    truncated: bool

    def __len__(self) -> int:
        return len(self.input_ids)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arguments of the classifier by name; the last dimension is padded."""
        names = [field.name for field in fields(self) if field.name != "truncated"]
        return {name: getattr(self, name) for name in names}


def tokenised(texts: Sequence[str], tokenizer: Tokenizer) -> Iterator[tuple[Ints, Ints, Flags]]:
    """T token ids, T x 2 character offsets and T flags of special tokens of each text.

    Args:
        texts: Texts of any length; they are not cut.
        tokenizer: A fast tokenizer.
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


def tokenised_windows(
    texts: Sequence[str],
    mentions: Sequence[Sequence[Span]],
    tokenizer: Tokenizer,
    max_length: int,
) -> Iterator[tuple[Ints, Ints, bool]]:
    """Token ids, T x 2 character offsets and whether tokens were cut off, for each text.

    Special tokens have empty offsets.

    Args:
        texts: Texts of any length.
        mentions: Spans of each text, one or two, a mention with its opening marker each; the
            window around them is kept of a longer text.
        tokenizer: A fast tokenizer.
        max_length: Limit in tokens.
    """
    for spans, (ids, offsets, special) in zip(mentions, tokenised(texts, tokenizer), strict=True):
        offsets[special] = 0
        keep = window([covered(offsets, [span]) for span in spans], special, max_length)
        yield ids[keep], offsets[keep], len(keep) < len(ids)


def covered(offsets: Ints, spans: Sequence[Span]) -> Flags:
    """T flags of the tokens that share a character with one of the spans.

    Args:
        offsets: T x 2 character offsets; empty ones (special tokens) are never covered.
        spans: Spans of the same text.
    """
    flags = np.zeros(len(offsets), dtype=bool)
    for span in spans:
        flags |= (offsets[:, 0] < span.end) & (offsets[:, 1] > span.start)
    return flags & (offsets[:, 1] > offsets[:, 0])


def window(mentions: Sequence[Flags], special: Flags, max_length: int) -> Ints:
    """Places of the tokens to keep: special tokens and those around the mentions.

    If the mentions are too far apart for one window, each end gets half of it; of a mention that is
    longer than that the beginning is kept.

    Args:
        mentions: T flags of each mention.
        special: T flags.
        max_length: Limit in tokens, special ones included.
    """
    size = len(special)
    if size <= max_length:
        return np.arange(size)
    room = max_length - int(special.sum())
    real = np.flatnonzero(~special)
    ends = [np.flatnonzero(flags[real])[[0, -1]].tolist() for flags in mentions]
    first, later, last = min(ends)[0], max(ends)[0], max(end for _, end in ends)
    if last - first < room:
        start = min(max(0, (first + last + 1 - room) // 2), len(real) - room)
        kept = np.arange(start, start + room)
    else:
        half = room // 2
        second = max(min(last + 1 - half, later), first + room - half)
        kept = np.concatenate([np.arange(first, first + room - half), second + np.arange(half)])
    return np.sort(np.concatenate([real[kept], np.flatnonzero(special)]))


class FileTokenizer:
    """The fast tokenizer of a folder, as transformers would load it from the same file.

    Args:
        backend: Tokenizer of the package ``tokenizers``; texts are neither cut nor padded.
        mask: The mask token, or None.
        separator: The token that ends a part, or None.

    Attributes:
        mask_token_id: Number of ``mask``.
        sep_token_id: Number of ``separator``.
    """

    def __init__(self, backend: Backend, mask: str | None, separator: str | None) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.mask_token_id = None if mask is None else backend.token_to_id(mask)
        self.sep_token_id = None if separator is None else backend.token_to_id(separator)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The tokenizer that was saved in a folder.

        Raises:
            DocumentError: Its settings are not JSON.
            WeightsError: A file is torn.
        """
        settings = read_json(folder / SETTINGS_FILE)
        with torn_files_named(folder):
            backend = Backend.from_file(str(folder / TOKENIZER_FILE))
        backend.encode_special_tokens = bool(settings.get("split_special_tokens"))
        # A token stands there as text, or with its text as "content".
        tokens = [settings.get(f"{name}_token") for name in ("mask", "sep")]
        mask, separator = (t["content"] if isinstance(t, dict) else t for t in tokens)
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
        """Tokens of a text, or of texts, by the names of transformers.

        Args:
            text: One text, or a list.
            add_special_tokens: Whether special tokens are put around each text.
            return_offsets_mapping: Whether to add the characters of the tokens.
            return_special_tokens_mask: Whether to add flags of special tokens.
            truncation: Texts are not cut.
            verbose: Ignored; accepted for API compatibility.
        """
        texts = [text] if isinstance(text, str) else text
        encoded = self._backend.encode_batch(texts, add_special_tokens=add_special_tokens)
        columns: dict[str, list[Any]] = {"input_ids": [e.ids for e in encoded]}
        if return_offsets_mapping:
            columns["offset_mapping"] = [e.offsets for e in encoded]
        if return_special_tokens_mask:
            columns["special_tokens_mask"] = [e.special_tokens_mask for e in encoded]
        return {n: column[0] for n, column in columns.items()} if isinstance(text, str) else columns
