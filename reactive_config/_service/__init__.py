"""Floor 3: the configuration service: releases over HTTP, closed from the first day."""
