"""Rate limits that follow a live rate."""

from reactive_config.bindings.limits.limiter import Decision, RateLimiter, rate_limiter
from reactive_config.bindings.limits.rate import Rate, RateRule
from reactive_config.bindings.limits.rule import TooCostly

__all__ = ["Decision", "Rate", "RateLimiter", "RateRule", "TooCostly", "rate_limiter"]
