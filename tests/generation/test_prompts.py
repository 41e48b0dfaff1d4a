from __future__ import annotations

import pytest

from tkre.generation.prompts import PromptError, bullets, in_language, render


def test_render_fills_placeholders():
    messages = render(
        "[system]\nBe $how.\n\n[user]\n$what costs $$3\n", {"how": "kind", "what": "$how"}, "p"
    )
    assert messages == (
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "$how costs $3"},  # a value is never a template itself
    )


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("no heading", "must begin with a heading"),
        ("text\n[user]\nx", "must begin with a heading"),
        ("", "must begin with a heading"),
        ("[user]\n$nothing", r"asks for \$nothing; there is a, b"),
        ("[user]\n$ 5", r"write \$\$"),
    ],
)
def test_invalid_prompt_files(template, problem):
    with pytest.raises(PromptError, match=f"prompt p.txt.*{problem}"):
        render(template, {"a": "", "b": ""}, "p.txt")


def test_needed_placeholders_are_in_the_file_where_they_have_a_value():
    with pytest.raises(PromptError, match=r"prompt p.txt has no \$plan: add it"):
        render("[user]\n$a", {"a": "", "plan": "one about law"}, "p.txt", needed=["plan"])
    for template, plan in [("[user]\n$a", ""), ("[user]\n$plan", "x"), ("[user]\n${plan}", "x")]:
        render(template, {"a": "", "plan": plan}, "p.txt", needed=["plan"])


def test_bullets():
    assert bullets(["a", "b"]) == "- a\n- b"
    assert bullets([]) == "(none)"


def test_the_language_of_a_corpus_is_asked_for():
    assert in_language(None) == ""
    assert "Write all texts of your answer in Chinese" in in_language("zh")
    assert "in Portuguese (pt-BR)" in in_language("pt-BR")
