"""Loss functions. A loss is built from its recipe's arguments and called with ``(output, batch)``.

``output`` is the network's, float32; ``batch`` is the dictionary of tensors of that step: ``clean``, ``noisy``,
``level`` and whatever else the source provides. The value is a scalar. May import data and recipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..recipe import RecipeError, load

if TYPE_CHECKING:
    from ..recipe import Loss

LOSSES = {
    "mse": "pixel:MeanSquares",
    "charbonnier": "pixel:Charbonnier",
    "over_pilot": "pixel:OverPilot",
    "calm_and_sharp": "pixel:CalmAndSharp",
    "enlarged": "enlarged:Enlarged",
    "fusion": "fusion:FusionLoss",
    "noise": "pixel:NoiseSquares",
    "poisson_nll": "pixel:PoissonLikelihood",
    "lesion_uptake": "pixel:LesionUptake",
    "perceptual": "perceptual:Perceptual",
    "level_classes": "classes:LevelClasses",
    "segmentation": "classes:Segmentation",
    "structures": "classes:Structures",
    "presence": "classes:Presence",
    "label": "classes:Label",
    "distillation": "distillation:Distillation",
}

Batch = dict[str, Tensor]


class Losses(nn.Module):
    """The weighted sum of a recipe's losses; ``values`` holds the last value of each."""

    def __init__(self, wanted: tuple[Loss, ...]) -> None:
        super().__init__()
        for one in wanted:
            if one.name not in LOSSES:
                raise RecipeError(f"there is no loss '{one.name}'; there are {', '.join(LOSSES)}.")
        self.names = [one.name for one in wanted]
        self.weights = [one.weight for one in wanted]
        self.parts = nn.ModuleList(load(__name__, LOSSES[one.name])(**one.arguments) for one in wanted)
        self.values: dict[str, Any] = {}

    def forward(self, output: Tensor, batch: Batch) -> Tensor:
        self.values = {name: part(output, batch) for name, part in zip(self.names, self.parts, strict=True)}
        return sum(weight * value for weight, value in zip(self.weights, self.values.values(), strict=True))
