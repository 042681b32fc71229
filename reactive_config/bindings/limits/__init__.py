"""Rate limits that follow a live rate."""

from reactive_config.bindings.limits.decision import Decision
from reactive_config.bindings.limits.limiter import RateLimiter, rate_limiter
from reactive_config.bindings.limits.rate import Rate, RateRule
from reactive_config.bindings.limits.redis_limiter import RedisRateLimiter, redis_rate_limiter
from reactive_config.bindings.limits.rule import TooCostly

__all__ = [
    "Decision",
    "Rate",
    "RateLimiter",
    "RateRule",
    "RedisRateLimiter",
    "TooCostly",
    "rate_limiter",
    "redis_rate_limiter",
]
