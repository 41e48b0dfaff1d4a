from __future__ import annotations

from tests.training.test_params import OPTIMISATION
from tkre.variants import Variant

PLAIN = {"backbone": "b", "finetuning": {"optimisation": OPTIMISATION}}
STAGE = {"epochs": 1, "optimisation": OPTIMISATION}


def test_which_variants_use_knowledge():
    assert not Variant.model_validate(PLAIN).uses_knowledge
    pretrained = PLAIN | {"pretraining": {"sources": ["support"], "mslm": STAGE, "scl": STAGE}}
    assert Variant.model_validate(pretrained).uses_knowledge
    with_synthetic = {"backbone": "b", "finetuning": PLAIN["finetuning"] | {"synthetic": True}}
    assert Variant.model_validate(with_synthetic).uses_knowledge
