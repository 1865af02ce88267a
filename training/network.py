"""The reader: a small fully convolutional network from a picture to what a print shows, on a grid of stride 4.

Residual blocks at strides 4, 8 and 16 with added skips; 0.8 million parameters.  One head of 1x1 convolutions gives, a
cell: mask, orientation (cosine and sine of the doubled angle), ridge period, the clean ridges at full resolution (16
channels, pixel shuffle), and minutiae: heat of endings and of bifurcations, direction, offset.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 4
CHANNELS = {"mask": 1, "orientation": 2, "period": 1, "ridges": 16, "heat": 2, "direction": 2, "offset": 2}
"""Channels of the head, in this order."""


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


def _step(before: int, after: int, kernel: int = 3) -> nn.Sequential:
    """Half the resolution."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


class Reader(nn.Module):
    """(B, 2, H, W) normalised and raw gray -> (B, 26, H / 4, W / 4); H and W multiples of 16."""

    def __init__(self, widths: tuple[int, int, int] = (40, 72, 104), blocks: tuple[int, int, int] = (2, 2, 4)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.stem = nn.Sequential(_step(2, 24, 5), _step(24, fine))
        self.fine = nn.Sequential(*(Block(fine) for _ in range(blocks[0])))
        self.down = _step(fine, middle)
        self.middle = nn.Sequential(*(Block(middle) for _ in range(blocks[1])))
        self.further = _step(middle, coarse)
        self.coarse = nn.Sequential(*(Block(coarse) for _ in range(blocks[2])))
        self.back = nn.Conv2d(coarse, middle, 1)
        self.middle_up = Block(middle)
        self.up = nn.Conv2d(middle, fine, 1)
        self.fine_up = nn.Sequential(Block(fine), Block(fine))
        self.head = nn.Sequential(
            nn.Conv2d(fine, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, sum(CHANNELS.values()), 1)
        )
        start = _place("heat")
        with torch.no_grad():  # minutiae are rare: begin by expecting none
            self.head[2].bias[start] = -4.0

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(x))
        middle = self.middle(self.down(fine))
        coarse = self.coarse(self.further(middle))
        middle = self.middle_up(middle + _doubled(self.back(coarse)))
        fine = self.fine_up(fine + _doubled(self.up(middle)))
        out: Tensor = self.head(fine)
        return out


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _place(name: str) -> slice:
    first = 0
    for key, count in CHANNELS.items():
        if key == name:
            return slice(first, first + count)
        first += count
    raise KeyError(name)


def split(out: Tensor) -> dict[str, Tensor]:
    """The head's channels by name."""
    return dict(zip(CHANNELS, out.split(list(CHANNELS.values()), 1), strict=True))
