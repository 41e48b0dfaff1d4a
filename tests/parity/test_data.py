"""Draws, requests, knowledge texts, masks, batches: exact."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from tests.parity.pins import check, digest
from tkre.core.instance import to_frame
from tkre.core.provenance import digest_of, frame_digest
from tkre.generation.explanations import explanation_requests
from tkre.generation.llm.store import ResponseStore
from tkre.generation.texts import knowledge_texts
from tkre.generation.texts import to_frame as texts_to_frame
from tkre.modeling.entity_markers import encode_instances
from tkre.modeling.params import MaskingParams
from tkre.modeling.span_masking import Words, encode_texts, mask
from tkre.training.batching import LabelledRow, LengthBatches, collate_labelled, inverted_rows
from tkre.training.pretraining import other_spans

SOURCES = ("explanation", "synthetic", "support")


def texts_of(knowledge):
    return knowledge_texts(knowledge.explained, knowledge.synthetic, knowledge.schema, SOURCES)


def test_the_sample(knowledge):
    check("sample", knowledge.shots.ids())


def test_frames_have_the_digests_that_lineages_name(knowledge):
    frames = {
        **{name: to_frame(rows) for name, rows in knowledge.splits.items()},
        "support": to_frame(knowledge.shots.support),
        "explained": to_frame(knowledge.explained),
        "synthetic": to_frame(knowledge.synthetic),
        "inverted": to_frame(inverted_rows(knowledge.explained, knowledge.schema)),
        "texts": texts_to_frame(texts_of(knowledge)),
    }
    digests = {name: frame_digest(frame) for name, frame in frames.items()}
    check("frames", digests | {"value": digest_of({"b": [1, 0.5, None], "a": "ä"})})


def test_requests_have_the_digests_that_stored_answers_name(knowledge):
    explanations = explanation_requests(
        knowledge.shots.support,
        knowledge.schema,
        knowledge.prompts["explanation"],
        knowledge.params.explanations,
    )
    requests = [*explanations, *knowledge.synthesis(0), *knowledge.synthesis(1)]
    check("requests", {r.id: [r.digest("claude"), r.seed("claude")] for r in requests})
    again = {r.id: r.digest("claude") for r in knowledge.synthesis(0, attempt=1)}
    check("requests asked again", again)


def test_what_is_replayed_and_stored(knowledge, tmp_path):
    check("replayed", {r.request_id: digest(r.to_dict()) for r in knowledge.responses})
    request = knowledge.synthesis(0)[0]
    [answer] = knowledge.replay.generate([request])
    path = tmp_path / "responses.jsonl"
    signed = replace(answer, digest=request.digest("claude"), model="claude", source="s 1", tries=2)
    ResponseStore(path).append(signed)
    assert ResponseStore(path).find(request, "claude") == signed
    assert ResponseStore(path).find(request, "other") is None
    line = path.read_text(encoding="utf-8")
    check("stored", [digest(line), sorted(json.loads(line))])


def test_roles_of_knowledge_texts(knowledge):
    texts = texts_of(knowledge)
    roles = [
        [t.id, t.source, t.relation, t.text]
        + [[[s.start, s.end] for s in spans] for spans in (t.heads, t.tails, t.relations)]
        for t in texts
    ]
    check("texts", {"count": len(texts), "first": roles[0], "all": digest(roles)})


def test_masks(knowledge, backbone):
    params, words = MaskingParams(), Words.of(backbone.tokenizer)
    encoded = encode_texts(texts_of(knowledge), backbone.tokenizer, params)
    generator = np.random.default_rng(13)
    masked = [mask(text, generator, words, params) for text in encoded]
    others = [other_spans(text, 2, generator) for text in encoded]
    hidden = [int((labels >= 0).sum()) for _, labels in masked]
    units = [[t.units, t.probabilities, t.roles, t.spans] for t in encoded]
    check("masks", {"hidden": hidden, "masked": digest(masked), "others": digest(others),
                    "units": digest(units)})  # fmt: skip


def test_batches(knowledge, backbone):
    rows = [*knowledge.explained, *inverted_rows(knowledge.explained, knowledge.schema)]
    encoded = encode_instances(rows, backbone.tokenizer, max_length=96, typed=True)
    labels = [knowledge.schema.names.index(row.relation) for row in rows]
    labelled = [LabelledRow(e, n) for e, n in zip(encoded, labels, strict=True)]
    order = LengthBatches([len(row) for row in labelled], 4, seed=13)
    epochs = [list(order), list(order)]
    padding = backbone.tokenizer.pad_token_id
    batches = [collate_labelled([labelled[n] for n in numbers], padding) for numbers in epochs[0]]
    check("batches", {"order": epochs, "names": sorted(batches[0]), "tensors": digest(batches)})
