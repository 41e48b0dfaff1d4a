"""Logistic regression whose result does not depend on the number of threads of a process."""

from __future__ import annotations

from typing import Any, Self

from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits


class LinearProbe(LogisticRegression):
    """scikit-learn's, with one thread of BLAS.

    Another number of threads sums in another order, and processes of a grid and of Ray have
    different numbers: a head that starts from a probe would be another classifier there.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: D102
        with threadpool_limits(1, user_api="blas"):
            super().fit(X, y, sample_weight)
        return self

    def decision_function(self, X: Any) -> Any:  # noqa: D102
        with threadpool_limits(1, user_api="blas"):
            return super().decision_function(X)
