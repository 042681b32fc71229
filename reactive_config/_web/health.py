"""Is the process alive, and should it get traffic?"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from reactive_config import Config
from reactive_config._web.asgi import EndpointResponse, as_json
from reactive_config.status import BindingState, BindingStatus, SourceState, Status

NOT_OPEN = (
    "no configuration is open: it opens and closes with the application, and never opens under a server that sends no "
    "lifespan events (daphne, uvicorn --lifespan off)"
)


def healthz(*, ended: bool) -> EndpointResponse:
    """200 unless only a restart helps: what is wrong with the content of a configuration is not mended by one.

    Args:
        ended: Whether a configuration was served and ended, and the process still answers. A bug of a source or of
            the runtime ends it so; it does not come back by itself.
    """
    return as_json({"status": "ended" if ended else "ok"}, 503 if ended else 200)


def readyz(config: Config[object] | None, *, strict: bool) -> EndpointResponse:
    """Where everything stands; 200 if the process should get traffic.

    What is held, what cannot be seen and what could not be rebuilt leaves the last good configuration in force,
    and often concerns all instances alike. So it is told, and takes nobody out of rotation unless `strict`.

    Args:
        config: None where none is open.
        strict: Whether trouble makes it 503.
    """
    if config is None:
        return as_json({"ready": False, "troubles": [NOT_OPEN]}, 503)
    status = config.status()
    troubles = list(_troubles(status))
    ready = not (strict and troubles)
    return as_json({"ready": ready, "troubles": troubles, **_shown(status)}, 200 if ready else 503)


def _troubles(status: Status) -> Iterator[str]:
    """Everything that keeps the newest configuration from being in force everywhere."""
    for source in status.sources:
        if source.state not in (SourceState.SYNCED, SourceState.ENDED):
            yield f"{source.name}: {source.state.value}"
        if source.held:
            yield f"{source.name}: {len(source.held)} held"
    for binding in map(_open_to_everybody, status.bindings):
        if binding.error:
            yield f"{binding.name}: {binding.error}"
    yield from status.selectors
    yield from status.callbacks


def _open_to_everybody(binding: BindingStatus) -> BindingStatus:
    """Without why a value is refused, which may quote it: it is in the log and in the configuration's status."""
    refused = binding.state is BindingState.REFUSED
    return (
        msgspec.structs.replace(binding, error="its newest value is refused; the log says why") if refused else binding
    )


def _shown(status: Status) -> dict[str, object]:
    # Only how many are held: why they are may quote values, and this is open to everybody.
    sources = [
        {"name": s.name, "state": s.state, "since": s.since, "age": s.age, "reason": s.reason, "revision": s.revision,
         "held": len(s.held), "next_try": s.next_try}
        for s in status.sources
    ]  # fmt: skip
    return {
        "generation": status.generation,
        "published_at": status.published_at,
        "sources": sources,
        "bindings": list(map(_open_to_everybody, status.bindings)),
    }
