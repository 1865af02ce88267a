"""Floor 1: what every database of fpipe stands on: SQLite settings, versions, writer's lock, hash-chained log."""
