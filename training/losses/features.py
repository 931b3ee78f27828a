"""The first layers of VGG as a measure of likeness, from one of three back-ends; reports must name which.

- ``imagenet``: torchvision's weights (vgg16-397923af.pth or vgg19-dcbb9e9d.pth), from a file that the user has.
- ``bone``: the first two layers of VGG-16, trained here to tell patches of simulated bone scans with a lesion from
  those without (recipe ``vgg_features_bone``); they lie beside this file. Trained for 7 minutes on one core, they tell
  held-out tiles apart with an area under the ROC curve of 0.70: modest features, but of this domain.
- ``random``: untrained and frozen, which still measures structure, weakly.

Architecture: Simonyan and Zisserman, ICLR 2015.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from training.recipe import RecipeError

# Output channels of the convolutions, 0 for a pooling.
VGG = {
    "vgg16": (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512),
    "vgg19": (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512),
}
BONE = Path(__file__).with_name("vgg16_bone.safetensors")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which torchvision's weights expect


class Features(nn.Module):
    """Grey images ``(N, 1, H, W)`` in about [0, 1] to the outputs of the wanted convolutions, each after its ReLU.

    Args:
        back_end: "imagenet", "bone" or "random".
        weights: the file of back-end "imagenet".
        architecture: "vgg16" or "vgg19".
        depth: convolutions to go through.
        taps: of which the outputs are returned, from 1; all up to ``depth`` where it is empty.

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
        super().__init__()
        self.taps = set(taps or range(1, depth + 1))
        self.layers = _layers(architecture, depth)
        self._fill(back_end, weights)
        mean, std = (MEAN, STD) if back_end == "imagenet" else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        x = (images.expand(-1, 3, -1, -1) - self.mean) / self.std
        found, count = [], 0
        for layer in self.layers:
            x = layer(x)
            count += isinstance(layer, nn.ReLU)
            if isinstance(layer, nn.ReLU) and count in self.taps:
                found.append(x)
        return found

    def _fill(self, back_end: str, weights: str) -> None:
        if back_end == "random":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                for layer in self.layers:
                    if isinstance(layer, nn.Conv2d):
                        nn.init.kaiming_normal_(layer.weight)
                        nn.init.zeros_(layer.bias)
            return
        if back_end == "bone":
            from safetensors.torch import load_file

            path, read = BONE, load_file
        elif back_end == "imagenet":
            path, read = Path(weights).expanduser(), lambda p: torch.load(p, map_location="cpu", weights_only=True)
        else:
            raise RecipeError(f"there is no feature back-end '{back_end}'; there are imagenet, bone and random.")
        if not path.is_file():
            raise RecipeError(f"the features '{back_end}' need the file {path}; name another one or train it first.")
        saved = {name.removeprefix("features."): value.float() for name, value in read(path).items()}
        wanted = self.layers.state_dict()
        lacking = sorted(name for name in wanted if name not in saved or saved[name].shape != wanted[name].shape)
        if lacking:
            raise RecipeError(f"{path.name} does not hold layer {lacking[0]} of this VGG; use fewer layers.")
        self.layers.load_state_dict({name: saved[name] for name in wanted})


class Classifier(nn.Module):
    """The network whose first layers become the back-end ``bone``: does a patch ``(N, 1, H, W)`` hold a lesion?

    The labels force the features to tell a hot spot from a joint; a small head with a wide view stands on them.
    """

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
