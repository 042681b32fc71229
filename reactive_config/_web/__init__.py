"""Floor 3: what a web application mounts. Public names of the floors below only."""
