"""Floor 5: protocols, error rates and curves on labelled prints."""
