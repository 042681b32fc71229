"""Rate limits that follow a live rate."""

from reactive_config._bindings.limits.limiter import RateLimiter, rate_limiter
from reactive_config._bindings.limits.rate import Rate, RateRule
from reactive_config._bindings.limits.redis_limiter import RedisRateLimiter, redis_rate_limiter
from reactive_config._bindings.limits.rule import Decision, TooCostly

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
