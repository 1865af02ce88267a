"""Floor 4: what a user can ask for.  The one place that opens a gallery."""
