"""The demo corpus as it is read, sampled and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusFolder, read_corpus
from tkre.corpora.sampling import Shots, sample_shots
from tkre.generation.explanations import explain, keep_explanations
from tkre.generation.llm.protocol import Request, Response, attempts_by_request
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import GenerationParams
from tkre.generation.synthesis import (
    SynthesisTask,
    keep_sentences,
    synthesis_request,
    write_sentences,
)
from tkre.project.config_loader import ConfigLoader
from tkre.settings import CONFIG_LOADER_ARGS


class Knowledge(NamedTuple):
    """What comes of newsroom, K = 8, seed 13."""

    schema: RelationSchema
    splits: dict[str, list[Instance]]
    shots: Shots
    params: GenerationParams
    prompts: dict[str, str]
    task: SynthesisTask
    replay: Replay
    responses: list[Response]
    explained: list[Instance]
    synthetic: list[Instance]

    def synthesis(self, round_number: int, attempt: int = 0) -> list[Request]:
        """Requests of a round, by relation."""
        prompt, params = self.prompts["synthesis"], self.params.synthesis
        return [
            synthesis_request(self.task, name, round_number, prompt, params, attempt=attempt)
            for name in self.schema.names
        ]


@pytest.fixture(scope="package")
def knowledge(newsroom: Path) -> Knowledge:
    conf = ROOT / "conf"
    settings: dict[str, Any] = ConfigLoader(str(conf), env="base", **CONFIG_LOADER_ARGS)[
        "parameters"
    ]
    params = GenerationParams.model_validate(settings["generation"])
    corpus = CorpusParams.model_validate(settings["corpora"]["newsroom"])
    prompts = {
        name: (conf / f"base/prompts/{name}.txt").read_text(encoding="utf-8")
        for name in ("explanation", "synthesis")
    }
    folder = CorpusFolder("newsroom", [newsroom])
    schema = folder.schema()
    splits = read_corpus(folder.read, schema, corpus).splits
    shots = sample_shots(
        splits["train"], splits["dev"], schema, shots=8, seed=13, test=splits["test"]
    )
    sources = {"support": shots.support, "validation": shots.validation, "test": splits["test"]}
    task = SynthesisTask(
        schema=schema,
        seed=13,
        wanted=8,
        support=shots.support,
        forbidden={name: [row.text for row in rows] for name, rows in sources.items()},
        head_first=False,
    )
    replay = Replay([ResponseStore(newsroom / "recordings.jsonl")], "claude", strict=False)
    answers = explain(
        replay, shots.support, schema, prompts["explanation"], params.explanations, params.retry
    )
    written = write_sentences(replay, task, prompts["synthesis"], params.synthesis, params.retry)
    explained, _ = keep_explanations(
        shots.support, attempts_by_request(answers), schema, params.explanations
    )
    synthetic, _ = keep_sentences(attempts_by_request(written), task, params.synthesis)
    return Knowledge(
        schema, splits, shots, params, prompts, task, replay, [*answers, *written],
        explained, synthetic,
    )  # fmt: skip
