from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.conftest import instance
from tkre.generation.texts import from_sentence
from tkre.modeling.params import MaskingParams
from tkre.modeling.span_masking import (
    ENTITY,
    IGNORED,
    OTHER,
    RELATION,
    EncodedText,
    Words,
    encode_texts,
    mask,
)

PARAMS = MaskingParams()
ROW = instance(
    "<head>anna</head> who lived at home for years moved to <tail>oslo</tail> and anna saw oslo .",
    "lives_in", triggers=("lived at home", "moved to"),
)  # fmt: skip


@pytest.fixture
def tokenizer(backbone):
    return backbone.tokenizer


def encode(row, tokenizer, params=PARAMS):
    return encode_texts([from_sentence(row, "support")], tokenizer, params)[0]


def words(text, tokenizer, flags):
    return tokenizer.convert_ids_to_tokens(text.input_ids[flags])


def test_roles_by_character_offsets_all_occurrences(tokenizer):
    text = encode(ROW, tokenizer)
    assert words(text, tokenizer, text.roles == ENTITY) == ["anna", "oslo", "anna", "oslo"]
    assert words(text, tokenizer, text.roles == RELATION) == ["lived", "at", "home", "moved", "to"]
    assert words(text, tokenizer, text.head) == ["anna", "anna"]
    assert words(text, tokenizer, text.tail) == ["oslo", "oslo"]
    assert text.units[0] == text.units[-1] == -1  # [CLS], [SEP]


def test_units_are_spans_mentions_and_whole_words(tokenizer):
    row = instance("<head>anna</head> knows <tail>bert</tail> xyzzy", "k", triggers=("knows",))
    text = encode(row, tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(text.input_ids)
    unit = dict(zip(tokens, text.units.tolist(), strict=True))
    pieces = [unit[t] for t in tokens if t == "x" or t.startswith("##")]
    assert len(pieces) == 5 and len(set(pieces)) == 1  # a word in pieces is one unit
    text = encode(ROW, tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(text.input_ids)
    of = {t: {text.units[n] for n, x in enumerate(tokens) if x == t} for t in tokens}
    assert of["lived"] == of["at"] == of["home"] and len(of["anna"]) == 1
    assert of["moved"] == of["to"] != of["lived"]


def test_long_relation_spans_are_hidden_word_by_word(tokenizer):
    text = encode(ROW, tokenizer, MaskingParams(max_span_words=2))
    tokens = tokenizer.convert_ids_to_tokens(text.input_ids)
    unit = dict(zip(tokens, text.units.tolist(), strict=True))
    assert len({unit["lived"], unit["at"], unit["home"]}) == 3
    assert unit["moved"] == unit["to"]


def clauses(*texts):
    """A tokenizer like that of XLM-R: what stands between blanks is one word of it."""
    letters = sorted({c for text in texts for c in text if c != " "})
    pieces = [("<unk>", -10.0), ("<mask>", -10.0), ("\u2581", -3.0), ("出生", -2.0), ("ホン", -2.0)]
    vocabulary = pieces + [(letter, -3.0) for letter in letters]
    model = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    model.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(
        tokenizer_object=model, unk_token="<unk>", mask_token="<mask>", pad_token="<unk>"
    )


@pytest.mark.parametrize(
    ("sentence", "trigger", "units"),
    [
        # As one word of the tokenizer, all but the mentions and the trigger was one unit.
        ("她说<head>周明</head>2008年出生在<tail>成都</tail>，很早。", "出生在",
         "她|说|周明|2008|年|出生在|成都|，|很|早|。"),
        ("<head>山田</head>は<tail>東京</tail>のホンダ、トヨタで働く。", "働く",
         "山田|は|東京|の|ホンダ|、|トヨタ|で|働く|。"),
        ("<head>김민수</head>는 <tail>서울</tail>에서 iPhone을 샀다.", "샀다",
         "김민수|는|서울|에서|iPhone|을|샀다|."),
        ("<head>แก้ว</head>ชื่อเด็ก<tail>กรุงเทพ</tail>", "ชื่อ", "แก้ว|ชื่อ|เด็ก|กรุงเทพ"),
        ("<head>Anna</head>'s house, in <tail>Rome</tail>.", "house", "Anna|'s|house|,|in|Rome|."),
    ],
)  # fmt: skip
def test_units_of_clauses_without_blanks_are_words(sentence, trigger, units):
    row = instance(sentence, "k", triggers=(trigger,))
    tokenizer = clauses(row.text)
    text = encode(row, tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(text.input_ids)
    found = {}
    for unit, token in zip(text.units.tolist(), tokens, strict=True):
        found[unit] = found.get(unit, "") + token.strip("\u2581")
    assert sorted(found.values()) == sorted(units.split("|"))


def test_a_long_relation_span_of_chinese_is_hidden_word_by_word():
    row = instance("<head>周明</head>出生在<tail>成都</tail>。", "k", triggers=("出生在",))
    whole, words = (encode(row, clauses(row.text), MaskingParams(max_span_words=n)) for n in (2, 1))
    assert len(set(words.units.tolist())) == 1 + len(set(whole.units.tolist()))


def test_rates_of_the_roles(tokenizer):
    text, rng = encode(ROW, tokenizer), np.random.default_rng(0)
    hidden = np.mean(
        [mask(text, rng, Words.of(tokenizer), PARAMS)[1] != IGNORED for _ in range(4000)], axis=0
    )
    for role, rate in ((RELATION, 0.8), (ENTITY, 0.5), (OTHER, 0.2)):
        of_role = hidden[(text.roles == role) & (text.units >= 0)]
        assert of_role == pytest.approx(rate, abs=0.04)
    assert hidden[0] == hidden[-1] == 0


def test_units_are_hidden_as_one_and_get_one_fate(tokenizer):
    text, rng = encode(ROW, tokenizer), np.random.default_rng(0)
    real = text.units >= 0
    fates = {"mask": 0, "random": 0, "same": 0}
    for _ in range(1500):
        inputs, labels = mask(text, rng, Words.of(tokenizer), PARAMS)
        chosen = labels != IGNORED
        assert (labels[chosen] == text.input_ids[chosen]).all()
        assert (inputs[~chosen] == text.input_ids[~chosen]).all()
        for unit in set(text.units[real].tolist()):
            of_unit = text.units == unit
            assert chosen[of_unit].all() or not chosen[of_unit].any()
            masked = inputs[of_unit] == tokenizer.mask_token_id
            assert masked.all() or masked.sum() <= 1  # a random token may be the mask token
        head = inputs[text.head]
        if chosen[text.head].any():
            same = (head == text.input_ids[text.head]).all()
            fates[
                "mask" if (head == tokenizer.mask_token_id).all() else "same" if same else "random"
            ] += 1
    shares = {k: n / sum(fates.values()) for k, n in fates.items()}
    assert shares == pytest.approx({"mask": 0.8, "random": 0.1, "same": 0.1}, abs=0.05)


def test_something_is_always_hidden(tokenizer):
    params = MaskingParams(relation=0, entity=0, other=0)
    text, rng = encode(ROW, tokenizer, params), np.random.default_rng(0)
    hidden = [
        set(text.units[mask(text, rng, Words.of(tokenizer), params)[1] != IGNORED])
        for _ in range(50)
    ]
    assert all(len(units) == 1 and -1 not in units for units in hidden)
    assert len({tuple(u) for u in hidden}) > 3


def test_masks_depend_on_the_generator_only(tokenizer):
    text = encode(ROW, tokenizer)
    a, b, c = (
        mask(text, np.random.default_rng(s), Words.of(tokenizer), PARAMS)[0].tolist()
        for s in (1, 1, 2)
    )
    assert a == b != c


@pytest.mark.parametrize("relation", [2, 0])
def test_other_spans_are_as_long_as_the_relation_or_end_with_the_run(relation):
    roles = np.full(10, OTHER)
    roles[2], roles[3 : 3 + relation] = ENTITY, RELATION
    units = np.arange(-1, 9)  # the text begins with a special token
    flags = roles == ENTITY
    text = EncodedText(units, units, np.zeros(9), roles, flags, ~flags, "knows", False)
    np.testing.assert_array_equal(text.spans, [flags, ~flags, roles == RELATION])
    starts, ends = text.other_spans
    free = [n for n in range(1, 10) if roles[n] == OTHER]
    assert starts.tolist() == free
    for start, end in zip(starts, ends, strict=True):
        assert set(range(start, end)) <= set(free)
        assert end - start <= max(1, relation)
        assert end - start == max(1, relation) or end not in free


def test_a_text_without_words_stays_as_it_is(tokenizer):
    ids, none = np.array([2, 3]), np.zeros(2, dtype=bool)
    text = EncodedText(ids, np.array([-1, -1]), np.zeros(0), none + OTHER, none, none, "k", False)
    inputs, labels = mask(text, np.random.default_rng(0), Words.of(tokenizer), PARAMS)
    assert inputs.tolist() == [2, 3] and (labels == IGNORED).all()


def test_random_tokens_are_drawn_one_by_one(tokenizer):
    params = MaskingParams(relation=1, entity=1, other=1, to_mask=0, to_random=1)
    text = encode(ROW, tokenizer, params)
    inputs, labels = mask(text, np.random.default_rng(0), Words.of(tokenizer), params)
    assert len({*inputs[labels != IGNORED].tolist()}) > 10


def test_long_texts_are_cut_and_say_so(tokenizer):
    text = encode(ROW, tokenizer, MaskingParams(max_length=8))
    assert len(text) == 8 and text.truncated
    assert not encode(ROW, tokenizer).truncated
