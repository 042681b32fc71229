"""Rate limits that follow a live rate."""
