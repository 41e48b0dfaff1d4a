"""Names for probes, by entity type: invented, or too common to mean anyone."""

from __future__ import annotations

import re

_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_PERSONS = ("Anna Berg", "Paul Ruiz", "Olga Reyes", "Samuel Okoro", "Mei Tanaka", "Tom Lindqvist")
_ORGANIZATIONS = ("Harlow & Finch", "Northgate Holdings", "the Aldous Institute", "Verity Press",
                  "the Coburn Society", "Tarn Industries")  # fmt: skip
_PLACES = ("Eastmoor", "Port Calder", "Lindale", "Sankt Veit", "Orvieda", "Kestrel Bay")
_WORKS = ("The Salt Garden", "Blue Interior", "The Ninth Bell", "Winter Harbour", "Still Water",
          "The Glass Orchard")  # fmt: skip
_DATES = ("1927", "March 2004", "12 May 1998", "1883", "the spring of 1951", "October 2016")
_NUMBERS = ("34", "1,200", "57", "18", "240", "91")
_EVENTS = ("the Calder Regatta", "the Lindale flood", "the 1951 congress", "the harbour strike",
           "the Eastmoor fair", "the winter campaign")  # fmt: skip
_CHEMICALS = ("veltamine", "orocaine", "tarsolide", "penthrexol", "calderin acid", "lumabarb")
_GENES = ("KRT7B", "VLD2", "the TRN4 receptor", "OXM1", "PDL12 kinase", "SMQ3")
_DISEASES = ("lindale fever", "chronic orvitis", "tarn syndrome", "calder anaemia",
             "diffuse velitis", "kestrel ataxia")  # fmt: skip
_METHODS = ("graph pruning", "the VELDA parser", "span matching", "lattice decoding",
            "the ORVI corpus", "frame tagging")  # fmt: skip
_TITLES = ("director", "treasurer", "chief engineer", "editor", "ambassador", "head curator")
# Of other entities, and of corpora without entity types: nouns that fit most relations.
_THINGS = ("the unit", "the item", "the structure", "the element", "the group", "the piece")
_BY_WORD = {
    word: names
    for words, names in (
        ("person people per author artist player", _PERSONS),
        ("organization organisation org company institution institute museum school university"
         " theatre theater agency team party publisher", _ORGANIZATIONS),
        ("place location loc gpe city town country state province region river", _PLACES),
        ("work object product artwork artefact artifact book play painting film song", _WORKS),
        ("date time year", _DATES),
        ("number quantity age percent", _NUMBERS),
        ("event", _EVENTS),
        ("chemical drug compound substance", _CHEMICALS),
        ("gene protein receptor", _GENES),
        ("disease disorder symptom", _DISEASES),
        ("method task metric material model algorithm dataset", _METHODS),
        ("title job role profession occupation", _TITLES),
    )
    for word in words.split()
}  # fmt: skip
_UNUSUAL_PERSONS = ("Мария Иванова", "王小明", "Γιώργος Παππάς",
                    "Maria Theresia Wilhelmina von Hohenberg-Oberstein zu Altenkirchen",
                    "يوسف حداد", "D'Arcy O'Shaughnessy-Ó Briain")  # fmt: skip
_UNUSUAL = ("Северное сияние", "北辰", "Ωρίων", "قمر",
            "the Second Annex of the Old Society for the Study of the Northern Provinces",
            "Xq'thl-9/B")  # fmt: skip


def names_of(entity_type: str | None, *, unusual: bool = False) -> tuple[str, ...]:
    """Six names of an entity type, recognised by a word of it: ``STATE_OR_PROVINCE``, ``person``.

    Args:
        entity_type: The type; None where a corpus has none.
        unusual: Long names, and names of other scripts.
    """
    words = [part.lower() for part in _PART.findall(entity_type or "")]
    found = (_BY_WORD.get(word, _BY_WORD.get(word.rstrip("s"))) for word in words)
    names = next((each for each in found if each), _THINGS)
    if not unusual:
        return names
    return _UNUSUAL_PERSONS if names is _PERSONS else _UNUSUAL
