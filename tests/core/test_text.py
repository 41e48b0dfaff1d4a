from __future__ import annotations

import itertools
import random
import re
import unicodedata

import pytest

from tests.conftest import instance
from tkre.core.folding import fold, is_invisible, verbatim
from tkre.core.text import (
    NearDuplicateIndex,
    NearDuplicateParams,
    clause_parts,
    count_words,
    find_phrase,
    find_word_forms,
    near_duplicate_groups,
    normalised,
    same_stem,
    sentence_rank,
    shared_sentences,
    word_list,
)

SENTENCE = "The old mayor of the town moved to a house near the river"


def copies(*texts: str) -> NearDuplicateIndex:
    index = NearDuplicateIndex(NearDuplicateParams())
    index.add("the test set", texts)
    return index


def test_copies_in_any_case_and_punctuation():
    assert copies(SENTENCE).find(SENTENCE.upper() + "!!") == ("the test set", 1.0)


def test_a_light_edit_is_a_copy_and_a_shared_phrase_is_not():
    index = copies(SENTENCE)
    assert index.find(SENTENCE.replace("river", "lake")) is not None
    assert (
        index.find("Last year the old mayor of the town died in Rome, aged ninety, alone") is None
    )


def test_shares_in_two_sentences_do_not_add_up():
    index = copies("one two three four five six", "six seven eight nine ten eleven")
    text = "one two three four five six seven eight nine ten eleven"
    assert index.find(text) is None


def test_short_sentences_are_one_run():
    assert copies("Hello there").find("hello there") == ("the test set", 1.0)
    assert copies("Hello there").find("hello") is None
    assert copies().find("anything at all") is None


def test_groups_are_chains_of_near_duplicates():
    a = "one two three four five six seven eight"
    b = a.replace("one two", "nine ten")  # shares the end with a
    c = "nine ten three four five six eleven twelve"  # shares the beginning with b
    texts = [a, "something else that nobody shares", c, b, SENTENCE, SENTENCE.upper()]
    assert near_duplicate_groups(texts, NearDuplicateParams(max_overlap=0.3)) == [0, 1, 0, 0, 4, 4]
    assert near_duplicate_groups(texts, NearDuplicateParams(max_overlap=0.9)) == [0, 1, 2, 3, 4, 4]
    assert near_duplicate_groups([], NearDuplicateParams(max_overlap=0.3)) == []


def test_a_short_text_within_a_long_one_is_of_its_group():
    assert near_duplicate_groups(
        [SENTENCE, "moved to a house"], NearDuplicateParams(max_overlap=0.5)
    ) == [0, 0]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("cause", "causes", True), ("lives", "lived", True), ("founded", "founder", True),
     ("producer", "product", True), ("member", "remember", False), ("born", "corn", False),
     ("works", "words", False)],
)  # fmt: skip
def test_forms_of_a_word(a, b, same):
    assert same_stem(a, b) is same


@pytest.mark.parametrize(
    ("phrase", "found"),
    [("on", ["On"]), ("inspections  ON", ["inspections On"]), ("spect", []), ("", []),
     ("'s", ["'s"]), ("bridge", ["bridge", "bridge"])],
)  # fmt: skip
def test_a_phrase_is_found_as_whole_words_in_any_case(phrase, found):
    text = "The inspections On Ada's bridge, a bridge."
    assert [span.of(text) for span in find_phrase(text, phrase)] == found


def test_shared_sentences_of_nothing():
    assert shared_sentences([], []) == ([], [])


# One phrase in forms that look alike.
PLAIN = "Séraphin O'Dwyer of Òkè-Mesí"
FORMS = {
    "decomposed": unicodedata.normalize("NFD", PLAIN),
    "curly quote": PLAIN.replace("'", "\u2019"),
    "no-break space": PLAIN.replace(" ", "\xa0"),
    "thin space": PLAIN.replace(" ", "\u2009"),
    "zero-width space": PLAIN.replace(" ", " \u200b"),
    "soft hyphen": PLAIN.replace("Dwyer", "Dw\u00adyer"),
    "joiner between letter and accent": unicodedata.normalize("NFD", PLAIN).replace(
        "e\u0301", "e\u2060\u0301"
    ),
    "byte-order mark": "\ufeff" + PLAIN,
    "bidi marks": "\u2068" + PLAIN + "\u2069",
    "non-breaking hyphen": PLAIN.replace("-", "\u2011"),
    "variation selector": PLAIN.replace("O", "O\ufe0e"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_comparison_sees_through_unicode_forms(form):
    assert normalised(form) == normalised(PLAIN)
    assert sentence_rank(form, 13) == sentence_rank(PLAIN, 13)
    plain = instance(f"<head>The bronze</head> is by <tail>{PLAIN}</tail> , says Ada .")
    other = instance(f"<head>The bronze</head> is by <tail>{form}</tail> , says Ada .")
    assert shared_sentences([plain], [other]) == ([(plain.id, other.id)], [])
    assert copies(plain.text).find(other.text) == ("the test set", 1.0)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_phrases_are_found_where_they_stand_in_the_text(form):
    text = f"\u200bPère said: \u201c{form}\u201d carved it, {form} again"
    shown = form.strip("\ufeff\u2068\u2069")  # not at the ends of what is found
    assert [span.of(text) for span in find_phrase(text, PLAIN)] == [shown, shown]
    assert [span.of(text) for span in find_phrase(text, form)] == [shown, shown]
    assert verbatim(text, PLAIN) == shown
    assert [span.of(text) for span in find_word_forms(text, "carves by Séraphin")] == [
        shown.split()[0].rstrip("\u200b"), "carved", shown.split()[0].rstrip("\u200b"),
    ]  # fmt: skip


def test_folded_characters_map_back_in_any_text():
    rng = random.Random(13)
    signs = ["a", "e\u0301", "ế", "o\u0323\u0302", "\u1112\u1161\u11ab", "\uac00\u11a8", "க\u0bca",
             "க\u0bc6\u0bbe", "\u200b", "\u0301", " ", "\u2003",
             "\u2019", "ß", "İ", "\U0001f9d1\u200d\U0001f680"]  # fmt: skip
    for _ in range(2000):
        text = "".join(rng.choices(signs, k=rng.randint(0, 8)))
        folded = fold(text)
        for start in range(len(folded.text)):
            for end in range(start + 1, len(folded.text) + 1):
                part = fold(folded.original(start, end).of(text)).text
                assert folded.text[start:end] in part  # a letter and its marks stay together
        seen = "".join(c for c in text if not is_invisible(c) or c.isspace())
        assert unicodedata.normalize("NFC", seen.replace("\u2019", "'").replace("\u2003", " ")) == (
            folded.text
        )


@pytest.mark.parametrize(
    ("text", "invisible"),
    [("", True), (" \t\u3000", True), ("\u200b\u2060\ufeff", True), ("\u3164", True),
     ("\u2800", True), ("\ufe0f", True), ("\x00", True), ("\u00ad", True), ("\u180e", True),
     ("\U000e0041", True), ("a", False), ("\u200b\u0430", False), ("-", False), ("\u0301", False),
     ("\u0600", False)],
)  # fmt: skip
def test_characters_without_a_glyph(text, invisible):
    assert is_invisible(text) is invisible


def test_invented_triggers_are_not_verbatim():
    assert verbatim("He left it.", "left  it") is None
    assert verbatim("He left it.", "\u200b") is None
    assert verbatim("He l\u00adeft it.", "left it") == "l\u00adeft it"


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("她出生于成都。", "出生于", ["出生于"]),
        ("他用iPhone拍照。", "iPhone", ["iPhone"]),
        ("他用iPhones拍照。", "iPhone", []),
        ("曹雪芹写了《红楼梦》一书", "《红楼梦》", ["《红楼梦》"]),
        ("김민수는 서울에서 태어났다", "서울", ["서울"]),  # its particle follows
        ("남서울은 크다", "서울", []),
        ("สมชายเกิดที่กรุงเทพ", "เกิดที่", ["เกิดที่"]),
        ("กิน", "ก", []),  # half of a letter with its vowel
        ("เกาะ", "กา", []),  # a vowel stands before its consonant, one behind it
        ("มานะ", "มาน", []),
        ("ตั้งใจ", "ตั้", []),  # this vowel is never at the end
        ("จันทร์", "จัน", ["จัน"]),
        ("ศักดิ์สิทธิ์", "ศัก", []),  # a silent consonant follows
        ("ตากล้อง", "ตาก", ["ตาก"]),  # wrong: only a dictionary would tell
        ("เขาก็แก้วไป", "แก้ว", ["แก้ว"]),
        ("เกิดในกรุงเทพฯ", "กรุงเทพ", ["กรุงเทพ"]),
        ("ເກັບ", "ເກັ", []),
        ("ភ្នំពេញ", "ភ", []),  # a stacked consonant follows
        ("ရန်ကုန်", "ရ", []),
        ("トヨタ自動車", "トヨタ", ["トヨタ"]),
        ("アンドレ", "アン", []),  # a run of katakana is a word
        ("記者はＮＨＫに勤める", "NHK", ["ＮＨＫ"]),
        ("हिन्दी भाषा", "हिन्", []),  # its vowel signs are letters of the word
        ("وُلد في القاهرة", "القاهرة", ["القاهرة"]),
        ("Jose\u0301s Haus, Jose\u0301", "José", ["Jose\u0301"]),
    ],
)
def test_phrases_of_any_script(text, phrase, found):
    assert [span.of(text) for span in find_phrase(text, phrase)] == found


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("김민수는 왔다", "김민수", True),
        ("김민수씨에게도 말했다", "김민수", True),
        ("김민수는 왔다", "김민", False),  # a longer name
        ("서울대학교는 크다", "서울", False),
        ("부산으로부터의 소식", "부산", True),
        ("부산로 갔다", "부산", False),  # this form of a particle follows a vowel or l
        ("서울로 갔다", "서울", True),
        ("제주가 좋다", "제주", True),
        ("부산가 좋다", "부산", False),
        ("수도는 서울이다.", "서울", True),
        ("NHK방송은", "NHK", True),  # another script begins
        ("남서울은 크다", "서울", False),
        ("서울시는 크다", "서울", False),
        ("이순신장군은", "이순신", False),
        ("김정은은 왔다", "김정", True),  # wrong: only a dictionary would tell
    ],
)
def test_only_particles_follow_a_korean_name(text, name, found):
    assert [span.of(text) for span in find_phrase(text, name, name=True)] == [name] * found
    assert find_phrase("서울에서 설립했다", "설립") != []  # any ending may follow what is no name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("周于2008年创办iPhone公司，后来。", "周|于|2008|年|创|办|iPhone|公|司|，|后|来|。"),
        ("トヨタ、ホンダ。", "トヨタ|、|ホンダ|。"),
        ("เด็กชื่อแก้ว", "เด็ก|ชื่อ|แก้|ว"),
        ("iPhone을", "iPhone|을"),
        ("김민수는, 서울에서 naïve re-tests", ""),  # the words of the tokenizer will do
    ],
)
def test_words_of_clauses_without_blanks(text, parts):
    starts = clause_parts(text)
    pieces = [text[a:b] for a, b in itertools.pairwise([*starts, len(text)])]
    assert "|".join(pieces) == parts


@pytest.mark.parametrize(
    ("text", "phrases", "found"),
    [
        ("她出生在成都", "出生于", ["出生"]),
        ("彼は東京で生まれた", "生まれ", ["生ま"]),
        ("그는 서울에서 태어난 사람", "태어났다", ["태어난"]),
        ("สมชายเกิดที่กรุงเทพ", "เกิดที่", ["เกิดที่"]),
        ("राम दिल्ली में रहता है", "रहते", ["रहता"]),
        ("她的书在家", "的是在", []),  # letters of grammar
    ],
)
def test_word_forms_of_any_script(text, phrases, found):
    assert [span.of(text) for span in find_word_forms(text, phrases)] == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("A cat's paw , on the-mat.", 6),
        ("何少平与杜若兰于去年结婚。", 8),
        ("彼は東京で生まれた。", 5),
        ("สมชายเกิดที่กรุงเทพ", 5),
        ("김민수는 서울에서 태어났다.", 3),
        ("他用 iPhone 拍照。", 4),
    ],
)
def test_length_in_words(text, number):
    assert count_words(text) == number


def test_copies_in_scripts_without_blanks():
    index = copies("林晓燕出生在成都，后来去了海边工作。")
    assert index.find("林晓燕出生在重庆，后来去了海边工作。") is not None
    assert index.find("周明远是青岛一家医院的医生。") is None


def test_english_words_are_those_of_before():
    text = "It's re-tested: 5_x, naïve café (p<0.05) at 10² in Zürich"
    assert word_list(text) == re.findall(r"\w+", text.lower())
