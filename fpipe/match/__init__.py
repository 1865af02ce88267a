"""Floor 2: votes of descriptor hits choose candidates; the exact match scores two templates.  Arrays in, no FAISS."""
