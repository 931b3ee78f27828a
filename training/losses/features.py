"""The first layers of VGG as feature extractor of the perceptual loss. Back-ends: see ``training.losses.back_ends``.

- ``imagenet``: vgg16-397923af.pth or vgg19-dcbb9e9d.pth.
- ``bone``: the first two layers of VGG-16, trained here to detect lesions in patches of simulated bone scans (recipe
  ``vgg_features_bone``); the file lies beside this one. After 7 minutes on one core the area under the ROC curve on
  held-out tiles was 0.70: weak features, but of this domain.

Architecture: Simonyan and Zisserman, ICLR 2015.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from .back_ends import FrozenFeatures

# Output channels of the convolutions, 0 for a pooling.
VGG = {
    "vgg16": (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512),
    "vgg19": (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512),
}
BONE = Path(__file__).with_name("vgg16_bone.safetensors")


class Features(FrozenFeatures):
    """Grey images ``(N, 1, H, W)`` in about [0, 1] to the outputs of chosen convolutions, each after its ReLU.

    Args:
        back_end: "imagenet", "bone" or "random".
        weights: the file of back-end "imagenet".
        architecture: "vgg16" or "vgg19".
        depth: number of convolutions.
        taps: numbers of the convolutions whose outputs are returned, from 1; all up to ``depth`` if empty.

    Raises:
        RecipeError: the back-end or its file is absent.
    """

    def __init__(
        self,
        back_end: str,
        weights: str = "",
        architecture: str = "vgg16",
        depth: int = 2,
        taps: tuple[int, ...] | list[int] = (),
    ) -> None:
        super().__init__(_layers(architecture, depth), back_end, weights, {"bone": BONE})
        self.taps = set(taps or range(1, depth + 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.seen(images)
        found, count = [], 0
        for layer in self.layers:
            x = layer(x)
            count += isinstance(layer, nn.ReLU)
            if isinstance(layer, nn.ReLU) and count in self.taps:
                found.append(x)
        return found


class Classifier(nn.Module):
    """The network whose first layers become the back-end ``bone``: the logit of a lesion in a patch ``(N, 1, H, W)``.

    The labels force the features to distinguish a lesion from a joint; a small head with a wide receptive field stands
    on them.
    """

    file: ClassVar[Path] = BONE

    def __init__(self, depth: int = 2, width: int = 64) -> None:
        super().__init__()
        self.layers = _layers("vgg16", depth)
        head: list[nn.Module] = []
        for _ in range(3):
            head += [nn.MaxPool2d(2), nn.Conv2d(64 if not head else width, width, 3, padding=1), nn.ReLU()]
        self.head = nn.Sequential(*head, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(width, 1), nn.Flatten(0))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(images.expand(-1, 3, -1, -1)))


def _layers(architecture: str, depth: int) -> nn.Sequential:
    """The first ``depth`` convolutions with their ReLUs and the poolings between, numbered as torchvision does."""
    layers: list[nn.Module] = []
    before, convolutions = 3, 0
    for channels in VGG[architecture]:
        if convolutions == depth:
            break
        if channels == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
        before, convolutions = channels, convolutions + 1
    return nn.Sequential(*layers)
