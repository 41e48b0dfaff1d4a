"""Hostile inputs: records, files, schemas and requests that are nearly right, drawn by a seed."""

from __future__ import annotations

import json
from random import Random
from typing import Any

LINES = {
    "native": {"id": "1", "sentence": "<head>Ada</head> was born in <tail>Oslo</tail>.",
               "relation": "born_in", "head_type": "person", "tail_type": "place"},
    "spans": {"id": "2", "text": "Ada was born in Oslo.", "head": [0, 3], "tail": [16, 20],
              "relation": "born_in"},
    "scibert": {"text": "[[ Ada ]] was born in << Oslo >> .", "label": "born_in"},
    "tacred": {"id": "3", "token": ["Ada", "saw", "-LRB-", "Oslo"], "subj_start": 0, "subj_end": 0,
               "obj_start": 3, "obj_end": 3, "subj_type": "person", "obj_type": "place",
               "relation": "born_in"},
    "store": {"request_id": "explanation/c/1", "response": {"explanation": "It is said."},
              "model": "m", "seconds": 1.5, "prompt_tokens": 3},
}  # fmt: skip
SCHEMA = """\
corpus: c
entity_types: [person, place]
relations:
  born_in:
    definition: The head is born in the tail.
    phrase: was born in
    head_types: [person]
    tail_types: [place]
  other: {definition: None of these holds of the head and the tail., phrase: and, negative: true}
"""
TEXTS = [
    "", " ", "\t", "\ufeff", "\u200b", "\u202e", "\ud83d", "\udc00x", "\x00", "\x1b[2J", "\x85",
    "\u2028", "e\u0301", "\u00e9", "\U0001f600", "<head>", "</head>", "<tail>", "</tail>", "<Head>",
    "<head></head>", "<head> </head>", "<head>Ada</head>", "<tail>Ada</tail>", "[[ a ]]", "<< a >>",
    "nan", "None", "N/A", "=1+1", "born_in", "person", "train-1", "explanation/c/1", "TODO", "null",
    "{", "}", "\"", "\\", "%s", "{head}", "${x}", "../../etc/passwd", "<script>", "a" * 5000,
]  # fmt: skip
YAML = [
    "&a ", "*a", "<<: *a\n", "!!timestamp x", "!!int x", "!!python/object:os.system x",
    "2026-13-45", "=", "~", "no", "1", "1e999", "[", "]", "{", "}", ": ", "- ", "#", "|\n", ">\n",
    "\t", "? ", "%", "---\n", "...\n", "'", '"', "\u2028", "\ufeff", "\x00", '"\\ud83d"', "TODO",
    "born_in:", "  other:\n", "&a {b: *a}", "[" * 80, "9" * 5000, "forms: ['{head} {tail}']",
    "inverse: other",
]  # fmt: skip


def text(random: Random) -> str:
    return "".join(random.choice(TEXTS) for _ in range(random.choice([1, 1, 1, 2, 5])))


def value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 7:
        return {text(random): value(random, depth + 1) for _ in range(random.randrange(3))}
    numbers = [0, 1, -1, 3, 10**30, 1.5, float("nan"), float("inf"), True, False, None]
    return text(random) if kind < 3 else random.choice(numbers)


def line(random: Random, kind: str) -> str:
    """A record, mostly spoilt: in its keys and values, or in its text."""
    record: dict[str, Any] = dict(LINES[kind])
    if random.random() < 0.3:
        record["id"] = str(random.randrange(1000))
    for _ in range(random.choice([0, 0, 1, 1, 2, 3])):
        key = random.choice(list(record) or ["id"])
        match random.randrange(5):
            case 0:
                record.pop(key, None)
            case 1:
                record[key] = value(random)
            case 2:
                record[text(random) or "x"] = value(random)
            case 3 if isinstance(record.get(key), str):
                at = random.randrange(len(record[key]) + 1)
                record[key] = record[key][:at] + text(random) + record[key][at:]
            case _:
                record[key] = record.get(random.choice(list(record) or [key]))
    written = json.dumps(record, ensure_ascii=random.random() < 0.5)
    match random.randrange(12):
        case 0:
            return spoilt(random, written, TEXTS)
        case 1:
            return written[: random.randrange(len(written) + 1)]
        case 2:
            return written.replace("{", '{"id": "7", "relation": "x", ', 1)
        case 3:
            deep = random.choice([70, 10_000])
            return written[:-1] + ', "x": ' + "[" * deep + "]" * deep + "}"
        case 4:
            return written[:-1] + f', "x": {"9" * 5000}' + "}"
    return written


def spoilt(random: Random, written: str, parts: list[str]) -> str:
    """A text with parts of others in it, without some of its own, or with a stretch twice."""
    for _ in range(random.choice([1, 1, 2, 4])):
        start = random.randrange(len(written) + 1)
        end = min(len(written), start + random.randrange(20))
        part = random.choice(["", random.choice(parts), written[start:end] * 2])
        written = written[:start] + part + written[end if random.random() < 0.5 else start :]
    return written


def file(random: Random, kind: str) -> bytes:
    """Some lines, as a file: with a byte-order mark, blank lines, other line ends, bad bytes."""
    if kind == "semeval":
        rows = ['1\t"The <e1>cat</e1> sat on the <e2>mat</e2>."', "born_in", "Comment:", ""]
        written = "\n".join(spoilt(random, row, TEXTS) if random.random() < 0.3 else row
                            for row in rows * random.choice([1, 2]))  # fmt: skip
    else:
        lines = [line(random, kind) for _ in range(random.choice([0, 1, 1, 2, 4]))]
        if kind == "tacred":
            written = "[" + ",\n".join(lines) + "]"
        else:
            written = random.choice(["\n", "\n", "\n\n", "\r\n"]).join(lines)
    content = written.encode(errors="surrogatepass" if random.random() < 0.1 else "replace")
    if random.random() < 0.05:
        content = b"\xef\xbb\xbf" + content
    if random.random() < 0.05 and content:
        at = random.randrange(len(content))
        content = content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]
    return content


def relations(random: Random) -> str:
    return spoilt(random, SCHEMA, YAML)


def request(random: Random) -> bytes:
    """The body of a request to the service."""
    if random.random() < 0.03:
        return b'{"sentences": ["<' + b" " * 900_000 + b'x"]}'
    forms = [LINES["native"] | {"id": None}, LINES["spans"], LINES["native"]["sentence"]]
    sentences = []
    for _ in range(random.choice([0, 1, 1, 2, 8])):
        form = random.choice(forms)
        if random.random() < 0.5 and isinstance(form, dict):
            keys = ("sentence", "text", "head", "tail", "head_type", "tail_type")
            form = {key: form[key] for key in keys if key in form}
            if random.random() < 0.4:
                form[random.choice(list(form))] = value(random)
        elif random.random() < 0.3:
            form = value(random)
        sentences.append(form)
    body: dict[str, Any] = {"sentences": sentences}
    if random.random() < 0.1:
        body[text(random)] = value(random)
    written = json.dumps(body, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.2:
        written = spoilt(random, written, [*TEXTS, "[" * 10_000, "9" * 5000])
    return written.encode(errors="surrogatepass" if random.random() < 0.1 else "replace")
