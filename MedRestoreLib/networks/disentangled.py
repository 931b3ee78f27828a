"""What an image shows, without its noise: a content encoder and a generator, trained on images without partners.

The idea is that of a paper on unsupervised denoising of MR (in Chinese; "P3" in ``training``), which carries Lu, Chen
and Chellappa, CVPR 2019 (deblurring without pairs) over to noise. What is needed in training alone, and the paper's own
form, are in ``training.networks``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from .bias_free import Pair, convolution
from .blocks import mirrored, plane, start_at_zero

FOLD = 4  # the content has a quarter of the image's rows and columns
PIXELS = FOLD * FOLD  # that a place of the content stands for


class Disentangled(nn.Module):
    """Noisy images and their noise's standard deviation in, clean images out; 1.4 million parameters.

    ``(N, 1, H, W)`` of any scale, with white Gaussian noise of ``(N,)`` on that scale; the same shape out. Convolutions
    without bias make it homogeneous: an image and a level that are k times as large give k times the result.

    Departures from the paper, where instance normalisation loses the grey levels and the generator gets a noise code:

    - The generator predicts the noise, which is subtracted: grey levels hold.
    - It gets the content and the image, and no noise code by which noise could pass.
    - Pixels are folded into channels instead of strided convolutions, which take long to learn to tell pixels apart.
    - No normalisation: the result at a place depends on its surroundings alone.

    Args:
        width: channels of the content.
        blocks: residual blocks of the encoder, and of the generator.
        fine: channels at full resolution.
    """

    def __init__(self, width: int = 96, blocks: int = 4, fine: int = 16) -> None:
        super().__init__()
        self.encoder = ContentEncoder(width, blocks)
        self.generator = Generator(width, blocks, fine)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        seen = mirrored(torch.cat((images, plane(level, images)), 1), FOLD)
        noise = self.generator(self.encoder(seen), seen)
        return images - noise[..., :rows, :columns].to(images.dtype)

    def content(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """``(N, width, H / 4, W / 4)``, of sizes rounded up."""
        return self.encoder(mirrored(torch.cat((images, plane(level, images)), 1), FOLD))


class ContentEncoder(nn.Module):
    """Images and planes of their level ``(N, 2, H, W)`` to ``(N, width, H / 4, W / 4)``."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.first = convolution(2 * PIXELS, width)
        self.blocks = nn.Sequential(*(Pair(width) for _ in range(blocks)))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.first(pixel_unshuffle(seen, FOLD)).relu_())


class Generator(nn.Module):
    """Content ``(N, width, H / 4, W / 4)`` to one channel ``(N, 1, H, W)``; begins as zero.

    Its last layers see images and levels ``(N, 2, H, W)`` again: folded pixels alone leave a pattern of 4 x 4.
    """

    def __init__(self, width: int, blocks: int, fine: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Pair(width) for _ in range(blocks)))
        self.expand = convolution(width, PIXELS * fine // 4)
        self.fine = convolution(fine // 4 + 2, fine)
        self.last = convolution(fine, 1)
        start_at_zero(self)

    def forward(self, content: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        x = pixel_shuffle(self.expand(self.blocks(content)), FOLD)
        return self.last(self.fine(torch.cat((x, seen.to(x.dtype)), 1)).relu_())
