"""Floor 2: snapshots to live things."""
