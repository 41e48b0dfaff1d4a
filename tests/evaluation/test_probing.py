"""Probes made from a schema, and their scores."""

from __future__ import annotations

import pandas as pd
import pytest

from tkre.core.instance import to_tagged
from tkre.core.schema import RelationSchema
from tkre.evaluation.probe_names import names_of
from tkre.evaluation.probing import (
    CHECKS,
    PAIRS,
    Probe,
    probes_of,
    score_probes,
    shares,
    worst_probes,
)

PERSON = {"head_types": ["person"], "tail_types": ["person"]}
RELATIONS = {
    "sold_to": {
        "phrase": "sold a work to",
        "head_types": ["person"],
        "tail_types": ["person", "museum"],
        "inverse": "bought_from",
        "forms": ["{tail} was sold a work by {head}."],
    },
    "bought_from": {
        "phrase": "bought a work from",
        "head_types": ["person", "museum"],
        "tail_types": ["person"],
        "inverse": "sold_to",
    },
    "married_to": {"phrase": "is married to", "inverse": "married_to", **PERSON},
    "made_by": {"phrase": "was made by", "head_types": ["work"], "tail_types": ["person"]},
    "none": {"phrase": "is not related to", "negative": True},
}


def schema_of(relations: dict[str, dict]) -> RelationSchema:
    defined = {name: {"definition": "Head and tail.", **r} for name, r in relations.items()}
    types = ["person", "museum", "work"]
    return RelationSchema.parse(
        {"corpus": "toy", "entity_types": types, "relations": defined}, "relations.yml"
    )


def tagged(probe: Probe) -> str:
    return to_tagged(probe.instance)


@pytest.fixture(scope="module")
def schema() -> RelationSchema:
    return schema_of(RELATIONS)


@pytest.fixture(scope="module")
def probes(schema) -> list[Probe]:
    return probes_of(schema)


def of(probes: list[Probe], relation: str, check: str) -> list[Probe]:
    return [p for p in probes if (p.relation, p.check) == (relation, check)]


def test_phrase_and_exchange_state_a_relation_and_its_inverse(probes):
    straight = of(probes, "sold_to", "phrase")[0]
    exchanged = of(probes, "sold_to", "exchange")[0]
    assert tagged(straight) == "<head>Anna Berg</head> sold a work to <tail>Paul Ruiz</tail>."
    assert tagged(exchanged) == "<tail>Anna Berg</tail> sold a work to <head>Paul Ruiz</head>."
    assert (straight.expected, exchanged.expected) == ("sold_to", "bought_from")


def test_forms_of_the_schema_are_read_in_both_orders(probes):
    [form, *_] = of(probes, "sold_to", "forms")
    assert tagged(form) == "<tail>Paul Ruiz</tail> was sold a work by <head>Anna Berg</head>."
    assert form.expected == "sold_to"
    exchanged = of(probes, "sold_to", "exchange")
    assert [p.expected for p in exchanged] == ["bought_from"] * 2 * PAIRS
    assert len(of(probes, "sold_to", "forms")) == PAIRS
    assert not of(probes, "made_by", "forms")


def test_a_symmetric_relation_stays_and_one_without_an_inverse_is_barred(probes):
    assert {p.expected for p in of(probes, "married_to", "exchange")} == {"married_to"}
    [exchanged, *_] = of(probes, "made_by", "exchange")
    assert exchanged.expected == "not made_by"
    assert exchanged.right("none")
    assert exchanged.right("sold_to")
    assert not exchanged.right("made_by")


def test_negation_bars_the_relation_and_its_inverse(probes):
    texts = [p.instance.text for p in of(probes, "made_by", "negation")[:2]]
    assert texts == [
        "The Salt Garden was not made by Paul Ruiz.",
        "It is not true that The Salt Garden was made by Paul Ruiz.",
    ]
    negated = of(probes, "sold_to", "negation")[0]
    assert negated.instance.text == "Anna Berg never sold a work to Paul Ruiz."
    assert negated.expected == "not sold_to or bought_from"
    assert not negated.right("bought_from")


def test_a_third_name_is_no_mention_and_a_bystander_is_one(probes):
    third, bystander = of(probes, "made_by", "third")[0], of(probes, "made_by", "bystander")
    assert tagged(third) == (
        "The report on Olga Reyes says that <head>The Salt Garden</head> was made by "
        "<tail>Paul Ruiz</tail>."
    )
    assert third.expected == "made_by"
    assert [tagged(p) for p in bystander[:2]] == [
        "The report on <head>The Ninth Bell</head> says that The Salt Garden was made by "
        "<tail>Paul Ruiz</tail>.",
        "<head>The Salt Garden</head> was made by Paul Ruiz, and the report goes on with "
        "<tail>Olga Reyes</tail>.",
    ]
    assert {p.expected for p in bystander} == {"not made_by"}


def test_types_fit_both_the_relation_and_the_inverse_of_the_exchanged_pair(schema, probes):
    for probe in probes:
        instance, relation = probe.instance, schema.relations[probe.relation]
        if probe.check != "exchange":
            assert instance.head_type in relation.head_types
            assert instance.tail_type in relation.tail_types
        elif instance.relation:
            assert schema.allows(instance.relation, instance.head_type, instance.tail_type)
        assert (
            instance.head_type is None
            or probe.check == "names"
            or (instance.head_text.lower() in map(str.lower, names_of(instance.head_type)))
        )
    kinds = {p.instance.tail_type for p in of(probes, "sold_to", "phrase")}
    assert kinds == {"person", "museum"}  # pairs are spread over the allowed types


def test_names_are_unusual_and_typing_errors_are_outside_mentions(probes):
    names = of(probes, "sold_to", "names")
    assert not names[0].instance.text.isascii()
    assert {p.expected for p in names} == {"sold_to"}
    typos = of(probes, "made_by", "typos")
    assert [p.instance.text for p in typos[:3]] == [
        "The Salt Garden was mdae by Paul Ruiz.",
        "Blue Interior was mde by Olga Reyes.",
        "The Ninth Bell was maade by Samuel Okoro.",
    ]


def test_a_phrase_of_short_words_has_no_typing_error():
    relations = {"in": {"phrase": "is in"}, "none": RELATIONS["none"]}
    assert not of(probes_of(schema_of(relations)), "in", "typos")


def test_the_negative_relation_has_the_probes_of_its_forms(schema, probes):
    assert not [p for p in probes if p.relation == "none"]
    relations = RELATIONS | {"none": RELATIONS["none"] | {"forms": ["{head} met {tail}."]}}
    negative = [p for p in probes_of(schema_of(relations)) if p.relation == "none"]
    # The exchanged pair may hold a relation that the schema does not name.
    assert [(p.check, p.expected) for p in negative] == [("forms", "none")] * PAIRS


def test_without_a_negative_relation_none_can_be_denied():
    relations = {name: RELATIONS[name] for name in ("married_to", "made_by")}
    checks = {(p.relation, p.check) for p in probes_of(schema_of(relations))}
    assert ("married_to", "exchange") in checks
    assert not {("made_by", "exchange"), ("made_by", "negation")} & checks
    assert not any(check in ("negation", "bystander") for _, check in checks)


def test_probes_are_the_same_each_time_and_have_ids_of_their_own(schema, probes):
    assert probes_of(schema) == probes
    assert len({p.instance.id for p in probes}) == len(probes)
    assert {p.check for p in probes} == set(CHECKS)


def test_braces_of_a_phrase_are_text():
    relations = {"odd": {"phrase": "{sold} {{"}, "none": RELATIONS["none"]}
    [probe, *_] = probes_of(schema_of(relations))
    assert probe.instance.text.endswith("{sold} {{ " + probe.instance.tail_text + ".")


@pytest.mark.parametrize(
    ("entity_type", "first"),
    [
        ("person", "Anna Berg"),
        ("PERSON", "Anna Berg"),
        ("STATE_OR_PROVINCE", "Eastmoor"),
        ("HistoricPlaces", "Eastmoor"),
        ("OtherScientificTerm", "the unit"),
        (None, "the unit"),
    ],
)
def test_names_by_entity_type(entity_type, first):
    assert names_of(entity_type)[0] == first
    assert len(set(names_of(entity_type))) == len(set(names_of(entity_type, unusual=True))) == 6


def scored_by(probes: list[Probe], answer: str) -> pd.DataFrame:
    probability = [n / len(probes) for n in range(len(probes))]
    return score_probes(probes, pd.DataFrame({"predicted": answer, "probability": probability}))


def test_scores_of_a_classifier_that_always_gives_one_answer(probes):
    scored = scored_by(probes, "sold_to")
    assert len(scored) == len(probes)
    table = shares(scored, "relation").set_index("relation")
    assert list(table) == [*CHECKS, "all"]
    assert table.loc["sold_to", ["phrase", "exchange", "negation"]].tolist() == [100, 0, 0]
    assert table.loc["bought_from", ["phrase", "exchange"]].tolist() == [0, 100]
    assert table.loc["made_by", ["phrase", "exchange", "negation"]].tolist() == [0, 100, 100]
    assert pd.isna(table.loc["made_by", "forms"])  # there is none


def test_the_worst_answers_are_of_different_checks_and_relations(probes):
    # Denials are right; the other six checks have wrong answers.
    worst = worst_probes(scored_by(probes, "none"), 9)
    assert not worst["right"].any()
    assert worst["check"][:6].nunique() == 6
    assert worst["probability"][:6].is_monotonic_decreasing
    assert len(worst[["check", "relation"]].drop_duplicates()) == 9
    assert worst_probes(scored_by(probes, "none"), 0).empty


def test_rows_without_an_answer_are_refused(probes):
    with pytest.raises(ValueError, match="shorter"):
        score_probes(probes, pd.DataFrame({"predicted": ["none"], "probability": [1.0]}))
