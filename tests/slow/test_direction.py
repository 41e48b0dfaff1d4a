"""Whether the recipe of tkre_plus learns which mention is the head, from 48 sentences.

The corpus has two pairs of inverse relations, with active and passive sentences. It trains on those
whose head comes first: the other order is to be learnt from the inverse. The scored sentences have
other names and no types, and each is asked about with either mention as the head.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tkre.core.instance import Instance, parse_tagged
from tkre.core.schema import RelationSchema
from tkre.modeling.backbone import load_backbone
from tkre.training.finetuning import finetune
from tkre.training.inference import predict
from tkre.training.params import FinetuningParams
from tkre.training.recipes import written_out
from tkre.training.scoring import labels_of

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "direction"
# A relation with A as its head, its inverse with B, and sentences that state both.
STATED = {
    ("employs", "works_for"): [
        "{a} employs {b} as a gardener.", "{b} is employed by {a}.", "{b} works for {a} in Genoa.",
        "{a} hired {b} last year.", "{b} was hired by {a} in June.",
        "A salary is paid to {b} by {a}.",
    ],
    ("teaches", "student_of"): [
        "{a} teaches {b} the piano.", "{b} is taught by {a}.", "{b} is a student of {a}.",
        "{b} takes lessons from {a} on Fridays.", "{a} gave {b} lessons in French.",
        "Lessons in history were given to {b} by {a}.",
    ],
}  # fmt: skip
NAMES = [
    ("Anna Berg", "Paul Ruiz"), ("Moritz Keller", "Ivan Sokolov"), ("Mr. Lee", "Olga Reyes"),
    ("Gianna Toso", "Kenji Arai"), ("Ruth Carmody", "Lena Fuchs"),
]  # fmt: skip


def row(name: str, record: dict[str, str], relation: str) -> Instance:
    text, head, tail = parse_tagged(record["sentence"])
    kinds = (record.get("head_type"), record.get("tail_type"))
    return Instance(
        id=name, text=text, head=head, tail=tail, relation=relation,
        head_type=kinds[0], tail_type=kinds[1],
    )  # fmt: skip


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def training_rows() -> Iterator[Instance]:
    for record in lines("train.jsonl"):
        yield row(record["id"], record, record["relation"])
    for answer in lines("recordings.jsonl"):
        name = answer["request_id"]
        for n, record in enumerate(answer["response"]["samples"]):
            yield row(f"{name}/{n}", record, name.split("/")[2])


def checks() -> Iterator[Instance]:
    for relations, sentences in STATED.items():
        for sentence in sentences:
            for names in NAMES:
                for relation, tags in zip(
                    relations, (("head", "tail"), ("tail", "head")), strict=True
                ):
                    a, b = (f"<{t}>{name}</{t}>" for t, name in zip(tags, names, strict=True))
                    yield row(sentence, {"sentence": sentence.format(a=a, b=b)}, relation)


def test_the_recipe_reads_direction_from_the_order_and_the_verb():
    schema = RelationSchema.parse(
        yaml.safe_load((FOLDER / "relations.yml").read_text(encoding="utf-8")), "relations.yml"
    )
    conf = ROOT / "conf/base"
    variants = yaml.safe_load((conf / "parameters_variants.yml").read_text(encoding="utf-8"))
    recipe = written_out(variants["variants"])["tkre_plus"]["finetuning"]
    catalog = (conf / "catalog_knowledge_pretraining.yml").read_text(encoding="utf-8")
    backbone = yaml.safe_load(catalog)["backbones.minilm"]
    start = load_backbone(backbone["name"], backbone["source"], backbone["sha256"])
    rows = [row for row in training_rows() if row.head < row.tail]
    trained, _ = finetune(
        start, rows, [], schema, FinetuningParams.model_validate(recipe),
        data="direction", seed=13, description="direction",
    )  # fmt: skip
    asked = list(checks())
    found = labels_of(predict(trained.model, trained.tokenizer, asked), trained.model.config)
    wrong = [
        (label, check.relation, check.text)
        for label, check in zip(found, asked, strict=True)
        if label != check.relation
    ]
    assert len(asked) == 120
    assert len(wrong) <= 0.05 * len(asked), wrong
