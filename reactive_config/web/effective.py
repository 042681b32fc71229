"""The configuration in force as operators see it: every value, where it stands, and what is held."""

from __future__ import annotations

from reactive_config import Config
from reactive_config.web.answers import Answer, as_json


def effective(config: Config[object]) -> Answer:
    """All of it, secrets hidden. Costs a walk over the configuration, in the loop."""
    snapshot, status = config.snapshot, config.status()
    return as_json(
        {
            "generation": snapshot.generation,
            "published_at": snapshot.published_at,
            "revisions": dict(snapshot.revisions),
            "settings": {s.path: {"value": s.value, "origin": s.origin} for s in config.describe()},
            "held": [{"source": source.name, "unit": held} for source in status.sources for held in source.held],
            "notes": status.notes,
        }
    )
