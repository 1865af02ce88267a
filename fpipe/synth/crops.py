"""Degraded crops with truth, for training: pieces of impressions and latents of stored masters, at any angle."""

from __future__ import annotations

from dataclasses import dataclass

from fpipe.core.params import Params
from fpipe.synth.fields import generator
from fpipe.synth.impression import Impression, Kind
from fpipe.synth.latent import Latent
from fpipe.synth.master import Master
from fpipe.synth.touch import Drawn


@dataclass(frozen=True, slots=True)
class Crop(Params):
    """A piece of a print of a kind drawn by chance.

    height, width : px at 500 ppi
    latents, rolled : shares of latents and of rolled prints; the rest are plain
    """

    height: int = 256
    width: int = 256
    latents: float = 0.4
    rolled: float = 0.1

    def __call__(self, master: Master, seed: int) -> Drawn:
        """Draw one; the same master and seed, the same crop."""
        chance = generator(seed, "crop").random()
        recipe: Latent | Impression
        if chance < self.latents:
            recipe = Latent(height=self.height, width=self.width, any_turn=True)
        else:
            kind: Kind = "rolled" if chance < self.latents + self.rolled else "plain"
            recipe = Impression(kind=kind, height=self.height, width=self.width, any_turn=True)
        return recipe(master, seed)
