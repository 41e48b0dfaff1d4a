from __future__ import annotations

import sys

import pytest

from tkre.corpora.candidates import SpacyError, SpacyMentions

spacy = pytest.importorskip("spacy", reason="needs the extra `spacy`")

TEXTS = ["Ada met Bert in Oslo.", "Nothing.", "Acme is in Oslo."]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> str:
    """A blank pipeline that knows three names, as a folder."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Ada"},
            {"label": "PERSON", "pattern": "Bert"},
            {"label": "GPE", "pattern": "Oslo"},
            {"label": "ORG", "pattern": "Acme"},
        ]
    )
    folder = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(folder)
    return str(folder)


def test_entities_with_their_labels(pipeline):
    found = list(SpacyMentions(pipeline, {}, None).find(TEXTS))
    assert [[(m.span.of(text), m.kind) for m in mentions]
            for text, mentions in zip(TEXTS, found, strict=True)] == [
        [("Ada", "PERSON"), ("Bert", "PERSON"), ("Oslo", "GPE")], [],
        [("Acme", "ORG"), ("Oslo", "GPE")],
    ]  # fmt: skip


def test_labels_become_types_and_those_without_are_dropped_and_counted(pipeline):
    mentions = SpacyMentions(pipeline, {"PERSON": "person", "GPE": "place"}, ["person", "place"])
    kinds = [[m.kind for m in found] for found in mentions.find(TEXTS)]
    assert kinds == [["person", "person", "place"], [], ["place"]]
    assert mentions.dropped == {"ORG": 1}


def test_a_pipeline_that_is_nowhere():
    with pytest.raises(SpacyError, match="python -m spacy download en_core_nothing"):
        SpacyMentions("en_core_nothing", {}, None)


def test_a_pipeline_without_entities(tmp_path):
    spacy.blank("en").to_disk(tmp_path)
    with pytest.raises(SpacyError, match=r"no component that finds entities.*components: none"):
        SpacyMentions(str(tmp_path), {}, None)


def test_without_spacy(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(SpacyError, match=r"pip install -e '.\[spacy\]'"):
        SpacyMentions("en_core_web_sm", {}, None)
