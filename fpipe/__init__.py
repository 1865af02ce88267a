"""fpipe: a latent print in, a ranked and explained candidate list out."""

__version__ = "0.1.0"
