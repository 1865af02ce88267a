"""Floor 2: minutiae and their quality from an enhanced picture; template codecs."""
