"""The harness that compares: who writes a case needs `Case`, `Subject`, `Stage`, `Round` and `NotHere`.

subject   one of those that are compared, and what a round asks of it
stage     what they share: servers, directories, the load of a round
case      which subjects, in which unit, on which stage
settings  rounds, rates, sizes and aims: live, from `bench/config`
wire      what harness and subject say to each other; child: the subject's end; process: the harness's
rounds    one point of a case: A B A B; run: all of them
estimates medians, quantiles and ratios with their spread
pace      how long the rest will take; progress: shown
results   the JSON; compare: two of them
report    what is printed; table: for the docs; plots: the pictures
profile   what limits a figure; profiler: the subject's end; calls, allocations: tables; rooms: whose code it is
"""

from __future__ import annotations

from bench.harness.case import Case
from bench.harness.stage import Stage
from bench.harness.subject import NotHere, Param, Params, Round, Subject

__all__ = ["Case", "NotHere", "Param", "Params", "Round", "Stage", "Subject"]
