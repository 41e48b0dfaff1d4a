"""A running average of weights: what a short training at a high rate ends up around."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class AveragedWeights:
    """An exponential moving average of a model's weights.

    Early on the decay is smaller, (1 + n) / (10 + n) after n steps, so that the random start is
    soon forgotten in runs of some hundred steps.

    Args:
        model: Its state is averaged, buffers too; what is frozen is not, it does not change. It
            stays on its device, on which the average is.
        decay: Share of the average that stays at each step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._steps = 0
        frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
        state = model.state_dict()
        averaged = [name for name in state if name not in frozen]
        self._fractions = [name for name in averaged if state[name].is_floating_point()]
        self._whole = [name for name in averaged if not state[name].is_floating_point()]
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in state.items()
        }

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the weights as they are now."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        state = self._model.state_dict()
        for name in self._whole:
            self.weights[name].copy_(state[name])
        # All at once: one by one, a GPU has a launch for each of some hundred small tensors.
        averages = [self.weights[name] for name in self._fractions]
        get_ema_multi_avg_fn(decay)(averages, [state[name] for name in self._fractions], None)
