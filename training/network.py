"""The reader's network: small, fully convolutional, from a picture to what a print shows, on a grid of stride 4.

Residual blocks at strides 4, 8 and 16 with added skips.  Its first layers halve the picture twice, so that nothing is
computed at full resolution; the clean ridges come back to it by pixel shuffle.  Widths are multiples of 32: what the
vector units of ordinary processors like.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fpipe.enhance.learned import CHANNELS

USUAL_PERIOD_PX = 9.0


class Block(nn.Module):
    """Two 3x3 convolutions with a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(x + self.second_norm(self.second(y)))


def _halved(before: int, after: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Reader(nn.Module):
    """(B, 2, H, W) float32, as ``fpipe.enhance.learned.network_input`` -> (B, 26, H / 4, W / 4), channels ``CHANNELS``.

    H and W are multiples of 16.  Logits where a channel is a probability.
    """

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 96), blocks: tuple[int, int, int] = (2, 3, 5)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.stem = nn.Sequential(_halved(2, 24, 5), _halved(24, fine))
        self.fine = nn.Sequential(*(Block(fine) for _ in range(blocks[0])))
        self.down = _halved(fine, middle)
        self.middle = nn.Sequential(*(Block(middle) for _ in range(blocks[1])))
        self.further = _halved(middle, coarse)
        self.coarse = nn.Sequential(*(Block(coarse) for _ in range(blocks[2])))
        self.back = nn.Conv2d(coarse, middle, 1)
        self.middle_up = Block(middle)
        self.up = nn.Conv2d(middle, fine, 1)
        self.fine_up = nn.Sequential(Block(fine), Block(fine))
        self.head = nn.Sequential(
            nn.Conv2d(fine, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, sum(CHANNELS.values()), 1)
        )
        with torch.no_grad():
            bias = split(self.head[2].bias[None])
            bias["minutia"].fill_(-4.0)  # they are rare: begin by expecting none
            bias["period"].fill_(USUAL_PERIOD_PX)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(x))
        middle = self.middle(self.down(fine))
        coarse = self.coarse(self.further(middle))
        middle = self.middle_up(middle + _doubled(self.back(coarse)))
        fine = self.fine_up(fine + _doubled(self.up(middle)))
        out: Tensor = self.head(fine)
        return out


def split(out: Tensor) -> dict[str, Tensor]:
    """The channels (dimension 1) by name."""
    return dict(zip(CHANNELS, out.split(list(CHANNELS.values()), 1), strict=True))
