"""What the service takes, and how much of it."""

from __future__ import annotations

from pydantic import Field

from tkre.params import Params

LEAST_BODY_BYTES = 1024  # a request of one short sentence


class ServiceParams(Params):
    """Limits of the service; a request beyond one is refused with the limit in the reason.

    Attributes:
        max_body_bytes: Of a request; more is refused (413) before it is read.
        max_sentences: In a request.
        max_characters: Of a sentence, tags included.
        max_waiting: Sentences that may wait for the classifier; beyond it a request is refused
            (503), since it would wait too long.
        batch_sentences: Of several requests that are read together, at most.
        shutdown_seconds: How long requests that are under way may take once the service is stopped.
    """

    max_body_bytes: int = Field(1024 * 1024, ge=LEAST_BODY_BYTES)
    max_sentences: int = Field(256, ge=1)
    max_characters: int = Field(5000, ge=1)
    max_waiting: int = Field(4096, ge=1)
    batch_sentences: int = Field(128, ge=1)
    shutdown_seconds: int = Field(20, ge=1)
