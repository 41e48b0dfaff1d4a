"""Languages of corpora: their codes, and their names for prompts and cards."""

from __future__ import annotations

import re

from tkre.core.params import did_you_mean

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "km": "Khmer", "ko": "Korean", "lo": "Lao", "lt": "Lithuanian",
    "lv": "Latvian", "my": "Burmese", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def check_language(code: str) -> str:
    """The code of a language itself.

    Raises:
        ValueError: It is no code such as ``zh`` or ``pt-BR`` (BCP 47).
    """
    if not _CODE.fullmatch(code) or code.capitalize() in NAMES.values():
        by_name = {name.lower(): code for code, name in NAMES.items()}
        own = by_name.get(code.lower())
        hint = f" (did you mean {own!r}?)" if own else did_you_mean(code, NAMES)
        raise ValueError(f"a code of a language is wanted, such as zh or pt-BR{hint}")
    return code


def language_name(code: str) -> str:
    """Name of a language in English; for one that has none here, its code in words."""
    language, _, rest = code.partition("-")
    name = NAMES.get(language, f"the language with the code {language}")
    return f"{name} ({code})" if rest else name
