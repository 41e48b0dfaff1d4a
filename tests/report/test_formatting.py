from __future__ import annotations

import pytest
import yaml

from tests.conftest import ROOT, instance
from tests.report.contents import HOSTILE
from tests.report.html_page import Page
from tkre.core.instance import Instance, Span
from tkre.report.formatting import (
    counted,
    day,
    duration,
    highlighted,
    listed,
    llm_in_words,
    minute,
    recipe_in_words,
    sentence,
)
from tkre.training.recipes import Variant, written_out

WRITTEN = yaml.safe_load((ROOT / "conf/base/parameters_variants.yml").read_text(encoding="utf-8"))
VARIANTS = {n: Variant.model_validate(v) for n, v in written_out(WRITTEN["variants"]).items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_the_project_is_described_in_sentences(name):
    said = recipe_in_words(VARIANTS[name])
    assert said and all(words[0].isupper() and words.endswith(".") for words in said)
    assert not [words for words in said if "None" in words or "{" in words]


def test_the_best_recipe_in_words():
    said = " ".join(recipe_in_words(VARIANTS["tkre_plus"]))
    for part in (
        "pre-trained further on explanations, synthetic sentences and the labelled sentences",
        "masked span language modelling (4 epochs, at most 1,100 texts in all), then",
        "15 % of relation words",
        "(layers 3 and 4)",
        "160 samples of each relation, at most 1,700 of all.",
        "both directions",
        "no relation reaches a probability of 0.6",
    ):
        assert part in said


def test_absent_options_of_a_variant_are_not_described():
    said = " ".join(recipe_in_words(VARIANTS["typ_marker"]))
    assert "published weights" in said and "synthetic" not in said
    assert "both directions" not in said
    assert "not trained" in " ".join(recipe_in_words(VARIANTS["zero_prototypes"]))
    assert "4 rounds of sentences" in " ".join(recipe_in_words(VARIANTS["tkre_plus_pairs"]))
    assert "another corpus, semeval2010_task8" in " ".join(
        recipe_in_words(VARIANTS["tkre_plus_from_semeval"])
    )
    taught = " ".join(recipe_in_words(VARIANTS["tkre_plus_annotated_distilled"]))
    assert "is trained on by the probabilities of tkre_plus_annotated_mpnet." in taught
    setfit = recipe_in_words(VARIANTS["setfit"])
    assert "pairs of labelled sentences" in setfit[0] and "has no card" in setfit[1]
    more = recipe_in_words(VARIANTS["setfit_annotated"])
    assert "labelled, synthetic and annotated sentences" in more[0]


def test_numbers_dates_and_durations():
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip
    assert [counted(n, "seed") for n in (1, 2, 1000)] == ["1 seed", "2 seeds", "1,000 seeds"]
    assert day("2026-03-05T23:59:00+00:00") == "5 March 2026"
    assert minute("2026-03-05T03:09:00+00:00") == "5 March 2026, 03:09 UTC"
    assert [duration(s) for s in (9.6, 600, 9000)] == ["10 s", "10 min", "2.5 h"]
    assert sentence("mSLM") == "MSLM" and sentence("") == ""


def test_a_language_model_by_name_and_entry():
    assert llm_in_words("default", "claude") == "claude"
    assert llm_in_words("qwen", "Qwen/Qwen3") == "Qwen/Qwen3 (qwen)"
    assert llm_in_words("gone", None) == "gone"


def marks(row: Instance) -> list[tuple[str, str]]:
    return [(e.attributes["class"], e.text) for e in Page(highlighted(row)).all("mark")]


def test_mentions_are_marked_and_named():
    row = instance("<head>Ada</head> was born in <tail>London</tail>.", triggers=("born in",))
    assert marks(row) == [("head", "Ada head"), ("trigger", "born in"), ("tail", "London tail")]
    assert str(highlighted(row)).endswith("</mark>.")


def test_one_mention_may_lie_in_the_other():
    row = instance("<head>the mayor of <tail>Rome</tail></head> resigned")
    assert marks(row) == [("head", "the mayor of "), ("head tail", "Rome head tail")]


def test_crossing_and_touching_mentions_lose_no_letter():
    row = Instance("r", "abcdef", Span(0, 3), Span(2, 5))
    assert [text for _, text in marks(row)] == ["ab", "c head", "de tail"]
    assert marks(Instance("r", "abcd", Span(0, 2), Span(2, 4))) == [
        ("head", "ab head"), ("tail", "cd tail"),
    ]  # fmt: skip


def test_a_trigger_is_marked_wherever_it_stands_but_not_in_a_mention():
    row = instance("<head>in Inn</head> lies in and in <tail>T</tail>", triggers=("in", ""))
    assert [text for kind, text in marks(row) if kind == "trigger"] == ["in", "in"]


def test_text_is_escaped():
    row = instance(f"<head>a{HOSTILE}</head> is b <tail>c</tail>", triggers=(HOSTILE,))
    page = Page(highlighted(row))
    assert {e.tag for e in page.elements} == {"mark", "span"}
    assert page.elements[0].text == f"a{HOSTILE} head"
