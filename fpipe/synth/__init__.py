"""Synthetic prints and latents as arrays: masters grown from an orientation field, impressions and latents of them."""
