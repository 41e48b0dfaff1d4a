"""The words of a page, for a reader who was not there."""

from __future__ import annotations

from tkre.report.blocks import Facts, Section

TERMS = (
    ("relation, mention", "What a sentence says about two marked parts of it: the head and the "
     "tail. A schema lists the relations there may be."),
    ("K, shots, support", "K labelled sentences for each relation, all that a classifier is "
     "trained on beside what a language model adds: the support. K others, the validation set, "
     "choose the epoch, the temperature and the thresholds."),
    ("seed", "Which K sentences are drawn, and everything random in training. Several seeds show "
     "how much is luck."),
    ("variant, cell", "A way to train, as described above; one variant on one corpus, K and seed."),
    ("micro-F1", "The harmonic mean of precision (how many of the relations that are claimed are "
     "right) and recall (how many of those that are there are found), over all sentences, without "
     "the negative relation."),
    ("P, R, s/cell", "Precision and recall as above; seconds of training of a cell."),
    ("paired bootstrap", "Test sentences are drawn again with replacement, the same ones for both "
     "variants; the interval holds the middle of the differences that come out."),
    ("explanation, synthetic sentence", "What a language model says about why a labelled sentence "
     "has its relation, and sentences that it writes for a relation."),
    ("MSLM, SCL", "Masked span language modelling: hiding words of relations and mentions, to be "
     "guessed. Span-level contrastive learning: pulling what expresses a relation to that "
     "relation, away from others."),
    ("confidence, ECE, temperature", "The probability of the label that is predicted; the expected "
     "calibration error, the mean gap between confidence and truth; one number, fitted on "
     "validation sentences, that probabilities are corrected by."),
    ("risk, coverage", "If only answers above a confidence are given: how many are wrong, and how "
     "many are given."),
    ("digest", "SHA-256 of a content: equal for equal content, another for any other."),
)  # fmt: skip


def glossary() -> Section:
    """Terms that the page uses."""
    return Section("terms", "Terms", [Facts(TERMS)])
