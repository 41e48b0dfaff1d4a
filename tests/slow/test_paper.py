"""A rehearsal of ``conf/paper``: its whole pipeline on one corpus, typed as for a GPU.

What is not there is made up: a corpus in the format of TACRED under its schema, recorded answers in
place of Llama 2, and random weights as wide as roberta-large, with fewer words and layers. All
layers: ``PAPER_LAYERS=24``.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from tests.conftest import ROOT
from tests.smoke_project import Project, newest

pytestmark = pytest.mark.slow
VARIANTS = ("typ_marker", "genpt", "tkre", "tkre_genpt")
FEW = {"samples_per_relation": 2, "min_epochs": 1}
# What makes a run short; models, rates and stages stay those of conf/paper.
SHORT = {
    "reporting": {"resamples": 50},
    "variants": {
        "typ_marker": {"finetuning": FEW},
        "genpt": {"finetuning": FEW},
        "tkre": {
            "pretraining": {stage: {"epochs": 1} for stage in ("mslm", "scl")},
            "finetuning": FEW,
        },
        "tkre_genpt": {"finetuning": FEW},
    },
}


def rows(split: str, schema: dict, each: int) -> list[dict]:
    """Rows of TACRED's form: every relation ``each`` times, between mentions of allowed types."""
    made = []
    for name, relation in schema["relations"].items():
        for _ in range(each):
            head, tail = f"Ada{len(made)}", f"Moen{len(made)}"
            tokens = [head, *relation["phrase"].split(), tail, "-LRB-", split, "-RRB-", "."]
            made.append({
                "id": f"{split}-{len(made)}", "relation": name, "token": tokens,
                "subj_start": 0, "subj_end": 0, "obj_start": len(tokens) - 5,
                "obj_end": len(tokens) - 5,
                "subj_type": relation.get("head_types", ["PERSON"])[0],
                "obj_type": relation.get("tail_types", ["PERSON"])[0],
            })  # fmt: skip
    return made


def answers(train: list[dict], schema: dict) -> list[dict]:
    """Recorded answers to all questions: explanations of all rows, one sentence a relation."""
    recorded = [
        {
            "request_id": f"explanation/tacred/{row['id']}",
            "response": {
                "explanation": f"The words between the two names say so: {row['token'][1]}.",
                "triggers": [" ".join(row["token"][1 : row["obj_start"]])],
            },
        }
        for row in train
    ]
    for number, (name, relation) in enumerate(schema["relations"].items()):
        sentence = (
            f"In spring <head>Bo{number}</head> {relation['phrase']} <tail>Ly{number}</tail> there."
        )
        types = {
            "head_type": relation.get("head_types", ["PERSON"])[0],
            "tail_type": relation.get("tail_types", ["PERSON"])[0],
        }
        sample = {"sentence": sentence, "triggers": [relation["phrase"]]} | types
        recorded.append({
            "request_id": f"synthesis/tacred/{name}/seed-13/round-0",
            "response": {"samples": [sample]},
        })  # fmt: skip
    return recorded


def roberta(folder: Path, texts: list[str]) -> Path:
    """Random weights as wide as roberta-large."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForMaskedLM, RobertaTokenizerFast

    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(texts, vocab_size=600, special_tokens=special, show_progress=False)
    folder.mkdir()
    bpe.save_model(str(folder))
    RobertaTokenizerFast(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    ).save_pretrained(folder)
    torch.manual_seed(0)
    RobertaForMaskedLM(
        RobertaConfig(
            vocab_size=5000, hidden_size=1024, intermediate_size=4096, num_attention_heads=16,
            num_hidden_layers=int(os.environ.get("PAPER_LAYERS", "2")),
            max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """The experiment ``paper`` in its environment, on the made-up corpus."""
    folder = tmp_path_factory.mktemp("paper")
    schema = yaml.safe_load((ROOT / "data/01_raw/tacred/relations.yml").read_text("utf-8"))
    splits = {split: rows(split, schema, 2) for split in ("train", "dev", "test")}
    texts = [" ".join(row["token"]) for made in splits.values() for row in made]
    project = Project(folder, roberta(folder / "roberta", texts))
    for file in ("experiments.yml", "parameters_corpora.yml"):  # the smoke tests have fewer
        shutil.copy(ROOT / "conf/base" / file, folder / "conf/base" / file)
    tacred = folder / "data/01_raw/tacred"
    shutil.copytree(ROOT / "data/01_raw/tacred", tacred)
    for split, made in splits.items():
        (tacred / f"{split}.json").write_text(json.dumps(made), encoding="utf-8")
    lines = [json.dumps(answer) for answer in answers(splits["train"], schema)]
    (tacred / "recordings.jsonl").write_text("\n".join(lines), encoding="utf-8")
    conf = OmegaConf.load(folder / "conf/paper/parameters.yml")
    conf = OmegaConf.merge(conf, SHORT)
    conf.generation.language_model = {"backend": "replay", "model": "made up"}
    project.write("conf/paper/parameters.yml", OmegaConf.to_container(conf))
    entry = {"type": "tkre.datasets.checkpoint.BackboneDataset", "name": "roberta-large",
             "source": str(folder / "roberta")}  # fmt: skip
    project.write("conf/paper/catalog.yml", {"backbones.roberta_large": entry})
    only = {"corpora": "[tacred]", "shots": "[1]", "seeds": "[13]"}
    params = ",".join(f"experiments.paper.{name}={value}" for name, value in only.items())
    result = project.kedro("run", "--pipelines", "paper", "--params", params, env="paper")
    assert result.returncode == 0, result.stdout[-6000:]
    project.printed = result.stdout
    return project


def test_every_recipe_of_the_paper_ends_with_scores(project):
    cells = pd.read_csv(newest(project, "08_reporting/paper/cells.csv"))
    assert tuple(cells["variant"]) == VARIANTS
    assert cells["micro_f1"].between(0, 100).all()


def test_they_start_from_the_encoder_of_the_paper(project):
    lineages = sorted(project.folder.glob("data/06_models/tacred/k1/s13/*/**/lineage.json"))
    assert lineages
    for file in lineages:
        assert json.loads(file.read_text("utf-8"))["backbone"] == "roberta-large"
