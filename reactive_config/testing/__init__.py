"""Floor 2: what tests of programs and of new sources need."""
