"""Floor 1: bytes to tree, with positions for people."""
