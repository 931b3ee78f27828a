"""The first three blocks of ResNet-34 as features at three scales. Back-ends: see ``training.losses.back_ends``.

- ``imagenet``: resnet34-b627a593.pth or resnet34-333f7ec4.pth; 8.2 million parameters.
- ``ultrasound``: the same layers a quarter as wide, 0.5 million parameters, trained here to classify frames as breast
  with a benign lesion, with a malignant one, with none, or fetal head (recipe ``resnet_features_ultrasound``). At full
  width the file would be 16 MB in float16, trained on a thousand pictures.
- ``random``: as wide as ``ultrasound``.

Architecture: He, Zhang, Ren and Sun, CVPR 2016; layers are named as in torchvision.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import relu

from .back_ends import FrozenFeatures

ULTRASOUND = Path(__file__).with_name("resnet34_ultrasound.safetensors")
FULL, NARROW = 64, 16  # channels of the first block
BLOCKS = (3, 4, 6, 3)  # residual units in each block


class Features(FrozenFeatures):
    """Grey images ``(N, 1, H, W)`` in about [0, 1] to the outputs of blocks 1 to 3, at 1/4, 1/8 and 1/16 of the size.

    Args:
        back_end: "imagenet", "ultrasound" or "random".
        weights: the file of back-end "imagenet".

    Raises:
        RecipeError: the back-end or its file is absent.
    """

    def __init__(self, back_end: str, weights: str = "") -> None:
        width = FULL if back_end == "imagenet" else NARROW
        super().__init__(_layers(width, blocks=3), back_end, weights, {"ultrasound": ULTRASOUND})

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.seen(images)
        found = []
        for name, layer in self.layers.named_children():
            x = layer(x)
            if name.startswith("layer"):
                found.append(x)
        return found


class Classifier(nn.Module):
    """The network whose first layers become the back-end ``ultrasound``: the whole ResNet-34, a quarter as wide.

    ``forward(images)``: images ``(N, 1, H, W)`` of any size to the logits of the classes ``(N, classes)``.
    """

    file: ClassVar[Path] = ULTRASOUND

    def __init__(self, classes: int = 4, width: int = NARROW) -> None:
        super().__init__()
        self.layers = _layers(width, blocks=3)
        last = _block(4 * width, 8 * width, BLOCKS[3], stride=2)
        self.head = nn.Sequential(last, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(images.expand(-1, 3, -1, -1)))


class _Unit(nn.Module):
    """Two 3x3 convolutions and the shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        project = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.downsample = nn.Identity() if same else project

    def forward(self, x: Tensor) -> Tensor:
        inner = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(inner)) + self.downsample(x))


def _layers(width: int, blocks: int) -> nn.Sequential:
    """The stem and the first ``blocks`` blocks; torchvision's names."""
    layers = OrderedDict(
        conv1=nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(width),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
    )
    before = width
    for number, units in enumerate(BLOCKS[:blocks], 1):
        outputs = width << (number - 1)
        layers[f"layer{number}"] = _block(before, outputs, units, stride=1 if number == 1 else 2)
        before = outputs
    return nn.Sequential(layers)


def _block(inputs: int, outputs: int, units: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Unit(inputs, outputs, stride), *(_Unit(outputs, outputs, 1) for _ in range(units - 1)))
