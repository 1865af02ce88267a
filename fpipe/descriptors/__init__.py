"""Floor 2: local descriptors of minutiae, derived from a template and packed for FAISS."""
