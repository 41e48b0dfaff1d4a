"""Shared by all tests: where the project is, real corpora if they are there, a tiny model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tkre.core.instance import Instance, parse_tagged
from tkre.core.schema import RelationSchema

ROOT = Path(__file__).resolve().parents[1]
# The corpora that may not be committed: tests that need them skip where they are not.
SHARED = Path(os.environ.get("TKRE_DATA", ROOT.parent / "shared" / "data"))

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach for the Hub
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are taken by the others
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes ``-n auto`` makes: each loads torch and starts others."""
    return min(len(os.sched_getaffinity(0)), 4)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Gives each process whole files, whose tests share fixtures; named files need no processes."""
    option = config.option
    if getattr(option, "numprocesses", None) == "auto":
        if any(Path(str(part).partition("::")[0]).is_file() for part in option.file_or_dir):
            option.numprocesses = None
        elif option.dist == "no":
            option.dist = "loadfile"


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the real corpora."""
    if not (SHARED / "semeval2010_task8" / "TRAIN_FILE.TXT").is_file():
        pytest.skip(f"the real corpora are not in {SHARED} (set TKRE_DATA)")
    return SHARED


@pytest.fixture(scope="session")
def newsroom() -> Path:
    return ROOT / "data" / "01_raw" / "newsroom"


@pytest.fixture(scope="session")
def newsroom_schema(newsroom: Path) -> RelationSchema:
    raw = yaml.safe_load((newsroom / "relations.yml").read_text(encoding="utf-8"))
    return RelationSchema.parse(raw, "relations.yml")


@pytest.fixture(scope="session")
def schema() -> RelationSchema:
    """Three relations of the kinds that differ: directed, symmetric, negative."""
    return RelationSchema.parse(
        {
            "corpus": "toy",
            "entity_types": ["person", "place"],
            "relations": {
                "lives_in": {
                    "definition": "The head is a person who lives in the tail, a place.",
                    "phrase": "lives in",
                    "head_types": ["person"],
                    "tail_types": ["place"],
                    "inverse": "home_of",
                },
                "home_of": {
                    "definition": "The head is a place where the tail, a person, lives.",
                    "phrase": "is the home of",
                    "head_types": ["place"],
                    "tail_types": ["person"],
                    "inverse": "lives_in",
                },
                "knows": {
                    "definition": "The head and the tail are persons who know each other.",
                    "phrase": "is acquainted with",
                    "head_types": ["person"],
                    "tail_types": ["person"],
                    "inverse": "knows",
                },
                "none": {
                    "definition": "None of the other relations holds.",
                    "phrase": "is not related to",
                    "negative": True,
                },
            },
        },
        "toy/relations.yml",
    )


def instance(sentence: str, relation: str | None = None, **fields: object) -> Instance:
    """An instance from a tagged sentence."""
    text, head, tail = parse_tagged(sentence)
    fields.setdefault("id", f"row-{abs(hash(sentence)) % 10**8}")
    return Instance(text=text, head=head, tail=tail, relation=relation, **fields)  # type: ignore[arg-type]


WORDS = (
    "anna bert carla dora emil lives in lived at home of knows met has is the a an old town city "
    "oslo bergen rome paris street with and her his friend for years born never saw near river "
    "house where who moved to from place person , . @ # * ^ ' head tail defined relation other"
).split()


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("tiny") / "backbone")


def tiny_bert(folder: Path) -> Path:
    """A folder with a random BERT of two layers and a word-piece tokenizer for WORDS."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    folder.mkdir()
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters]
    vocabulary = list(dict.fromkeys([*pieces, *(f"##{letter}" for letter in letters)]))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=256,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str):
    """The project after one run of the default experiment, the same for all processes."""
    from filelock import FileLock

    from tests.smoke_project import Project

    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "demo"
    with FileLock(f"{folder}.lock"):
        if (folder / "printed.txt").is_file():
            return Project.existing(folder)
        folder.mkdir()
        return Project.after_a_run(folder, tiny_bert(folder / "backbone"))


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory, newsroom: Path) -> Path:
    """A folder with a random Llama whose tokenizer knows the demo corpus."""
    from tests.live.tiny_llama import make_llama

    lines = (newsroom / "train.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in lines]
    return make_llama(tmp_path_factory.mktemp("tiny_llama"), texts)


@pytest.fixture(scope="session")
def backbone(tiny_backbone: Path):
    from tkre.modeling.backbone import load_backbone

    return load_backbone("tiny", str(tiny_backbone), None)


@pytest.fixture(scope="session")
def toy_rows() -> list[Instance]:
    """Sentences of the toy schema that a classifier can tell apart by their words."""
    people, places = ["anna", "bert", "carla", "dora", "emil"], ["oslo", "bergen", "rome", "paris"]
    rows = []
    for n, person in enumerate(people):
        place, other = places[n % 4], people[(n + 1) % 5]
        h, t = f"<head>{person}</head>", f"<tail>{place}</tail>"
        types = {"head_type": "person", "tail_type": "place"}
        rows += [
            instance(f"{h} lives in the old {t} .", "lives_in", id=f"l{n}", triggers=("lives",),
                     explanation=f"{person} lives in {place} , a home .", **types),
            instance(f"the <head>{place}</head> is home of <tail>{person}</tail> .", "home_of",
                     id=f"h{n}", triggers=("home of",), head_type="place", tail_type="person",
                     explanation=f"{place} is the home where {person} lives ."),
            instance(f"{h} met and knows <tail>{other}</tail> .", "knows", id=f"k{n}",
                     triggers=("knows",), head_type="person", tail_type="person",
                     explanation=f"{person} is a friend who knows {other} ."),
            instance(f"{h} never saw {t} .", "none", id=f"n{n}", **types),
        ]  # fmt: skip
    return rows


@pytest.fixture(scope="session")
def classifier_folder(backbone, toy_rows, schema, tmp_path_factory) -> Path:
    """A classifier that knows the toy rows, as a run saves it; who changes it changes a copy."""
    from tests.training.test_finetuning import SPANS, run

    classifier, _ = run(backbone, toy_rows, schema, SPANS)
    folder = tmp_path_factory.mktemp("classifier")
    classifier.save(folder)
    return folder


@pytest.fixture(scope="session")
def calibrator_of(schema: RelationSchema):
    """Makes the calibrator of a toy classifier's folder, by rows of which some are wrong."""

    def made(folder: Path, rows: list[Instance]):
        import numpy as np

        from tkre.evaluation.calibration_report import fit_calibrator
        from tkre.evaluation.params import CalibrationParams
        from tkre.evaluation.predictions import prediction_frame
        from tkre.serving.extractor import RelationExtractor

        plain = RelationExtractor.from_pretrained(folder, calibrator=False)
        raw = plain(rows)
        gold = ["none", "none", *(row.relation for row in rows[2:])]
        frame = prediction_frame(
            [row.id for row in rows],
            gold,
            [p.relation for p in raw],
            plain.relations,
            np.array([list(p.probabilities.values()) for p in raw]),
        )
        params = CalibrationParams(precisions=(0.5, 0.99))
        return fit_calibrator(
            frame, schema.negative, params, cell="toy.k5.s0.v", classifier=plain.digest
        )

    return made


def json_lines(records: list[dict[str, object]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)
