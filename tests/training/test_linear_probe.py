from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tkre.training.linear_probe import LinearProbe


def fitted(threads: int) -> LinearProbe:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(600, 800)).astype(np.float32)
    labels = generator.integers(0, 12, size=600)
    with threadpool_limits(threads, user_api="blas"):
        return LinearProbe(C=0.05, max_iter=60).fit(features, labels)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_another_number_of_threads_gives_the_same_bits():
    one, two = fitted(1), fitted(2)
    assert np.array_equal(one.coef_, two.coef_)
    assert np.array_equal(one.intercept_, two.intercept_)
    rows = np.random.default_rng(4).normal(size=(500, 800))
    with threadpool_limits(2, user_api="blas"):
        many = one.predict_proba(rows)
    with threadpool_limits(1, user_api="blas"):
        assert np.array_equal(one.predict_proba(rows), many)
