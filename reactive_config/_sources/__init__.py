"""Floor 2: outside to deltas."""
