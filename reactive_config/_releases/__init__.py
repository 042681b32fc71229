"""Floor 2: what changes configuration, with a history and a way back, and where both are kept."""
