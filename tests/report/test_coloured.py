from __future__ import annotations

import re
from html import unescape

from tests.conftest import instance
from tkre.core.schema import RelationSchema
from tkre.generation import texts as knowledge
from tkre.modeling.params import MaskingParams
from tkre.report import notebooks as coloured

EVIL = "<script>alert(1)</script> & <b>bold</b>"


def spans(markup: str, kind: str) -> list[str]:
    """The texts of a colour, the legend's left out."""
    found = re.findall(rf'<span style="[^"]*" title="{kind}">(.*?)</span>', markup)
    return [unescape(text) for text in found[1:]]


def test_mentions_and_triggers_are_coloured_and_the_rest_is_not():
    row = instance("<head>Ada</head> was born in <tail>London</tail>.", "born_in", id="a",
                   triggers=("born in",), explanation="It says where.")  # fmt: skip
    markup = coloured.instances([row]).markup
    assert spans(markup, "head") == ["Ada"] and spans(markup, "tail") == ["London"]
    assert spans(markup, "relation") == ["born in"]
    assert "born_in · a" in markup and "<i>It says where.</i>" in markup
    assert " was " in re.sub(r"<[^>]*>", "", markup)


def test_text_of_others_is_never_markup():
    row = instance(f"<head>A{EVIL}</head> met <tail>B</tail>", EVIL, id=EVIL, explanation=EVIL,
                   triggers=("met",))  # fmt: skip
    texts = [knowledge.from_sentence(row, "synthetic")]
    for markup in (coloured.instances([row]).markup, coloured.knowledge(texts).markup):
        assert "<script" not in markup and "<b>" not in markup
        assert "&lt;script&gt;" in markup


def test_a_mention_inside_the_other_one_keeps_both_colours():
    row = instance("the <head>mayor of <tail>Rome</tail></head> spoke", "lives_in")
    markup = coloured.instances([row]).markup
    assert "".join(spans(markup, "head")) == "mayor of Rome"  # the first mark holds


def test_roles_of_knowledge_are_those_that_the_encoder_learns_from(schema: RelationSchema):
    row = instance("<head>anna</head> lives in <tail>rome</tail> , and anna likes rome .",
                   "lives_in", triggers=("lives",))  # fmt: skip
    markup = coloured.knowledge([knowledge.from_sentence(row, "support")]).markup
    assert spans(markup, "head") == ["anna", "anna"] and spans(markup, "tail") == ["rome", "rome"]
    assert spans(markup, "relation") == ["lives"]


def test_draws_of_the_mask_show_what_is_read_instead(backbone):
    row = instance("<head>anna</head> lives in <tail>rome</tail> .", "lives_in",
                   triggers=("lives",))  # fmt: skip
    text = knowledge.from_sentence(row, "support")
    always = MaskingParams(relation=1, entity=0, other=0, to_mask=1, to_random=0)
    markup = coloured.masked(text, backbone.tokenizer, always, seeds=(0, 1)).markup
    assert spans(markup, "relation") == ["lives"]
    assert spans(markup, "hidden") == ["[MASK]", "[MASK]"]  # one in each draw
    assert "draw 1" in markup and "[CLS]" in markup
