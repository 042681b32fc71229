"""Floor 3: what a web application mounts. Public names of the floors below only.

    lifespan, attach, running                   open the configuration with the application
    configuration, current, snapshot, live      what a request sees (Starlette, FastAPI, Litestar)
    until_shutdown, end_streams                 streams that do not keep the server from ending
    Operations                                  /healthz, /readyz, /metrics, /loggers, /config
    Metrics, Tracing                            the same figures and spans for programs without these endpoints

`reactive_config.web.fastapi`, `.litestar` and `.aiohttp` fit this to one framework each; nothing else imports one.
"""

from reactive_config._web.connections import configuration, current, end_streams, live, snapshot, until_shutdown
from reactive_config._web.lifespan import attach, lifespan
from reactive_config._web.metrics import Metrics
from reactive_config._web.operations import Operations
from reactive_config._web.running import running
from reactive_config._web.tracing import Tracing

__all__ = [
    "Metrics",
    "Operations",
    "Tracing",
    "attach",
    "configuration",
    "current",
    "end_streams",
    "lifespan",
    "live",
    "running",
    "snapshot",
    "until_shutdown",
]
