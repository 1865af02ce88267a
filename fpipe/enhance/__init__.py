"""Floor 2: picture -> contrast, mask, orientation field, ridge period map, enhanced picture."""
