"""Pauses grow to a cap, are jittered in full, and health takes them back."""

from __future__ import annotations

import random

from reactive_config._sources.etcd.session_loop import Backoff


class Most(random.Random):
    def uniform(self, a, b):
        return b


def test_pauses_double_up_to_the_cap_and_health_takes_them_back():
    backoff = Backoff(Most(), base=0.1, cap=1.0)
    assert [round(backoff.pause(), 3) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.healthy(2.5)
    assert backoff.pause() == 0.4
    backoff.healthy(60)
    assert backoff.pause() == 0.1
    backoff.reset()
    assert backoff.pause() == 0.1


def test_pauses_are_jittered_down_to_the_floor():
    full = Backoff(random.Random(1), base=1.0, cap=1.0)
    pauses = [full.pause() for _ in range(200)]
    assert min(pauses) < 0.1
    assert max(pauses) > 0.9
    half = Backoff(random.Random(1), base=1.0, cap=1.0, floor=0.5)
    assert min(half.pause() for _ in range(200)) >= 0.5
