"""From the figures of a case's points to estimates, ratios and verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bench.harness.case import Case
from bench.harness.estimates import FIGURES, Estimate, Rounds, Sampled
from bench.harness.results import PointResult, SubjectResult, Verdict
from bench.harness.settings import Aim, Figure
from bench.harness.subject import Params


class Measured(msgspec.Struct, frozen=True):
    """One point as it was measured: label to rounds, label to the reason for having none."""

    params: Params
    rounds: Mapping[str, Rounds]
    absent: Mapping[str, str] = {}


def judge(case: Case, points: Sequence[Measured], aims: Sequence[Aim]) -> list[PointResult]:
    """What the points of a case say."""
    sampled = [{label: Sampled(rounds) for label, rounds in point.rounds.items()} for point in points]
    places = {_key(point.params): mine[case.ours] for point, mine in zip(points, sampled, strict=True)}
    results = []
    for point, mine in zip(points, sampled, strict=True):
        verdicts = [
            Verdict(aim, _held(case.ours, aim, point.params, mine, places)) for aim in aims if aim.applies(point.params)
        ]
        subjects = [_subject(label, point, mine) for label in case.subjects]
        results.append(PointResult(point.params, subjects, _ratios(case, mine), verdicts))
    return results


def _subject(label: str, point: Measured, sampled: Mapping[str, Sampled]) -> SubjectResult:
    if label not in sampled:
        return SubjectResult(label, absent=point.absent.get(label, "not measured"))
    rounds = [[float(f"{figure:.6g}") for figure in figures] for figures in point.rounds[label]]
    return SubjectResult(label, rounds, {figure: sampled[label].estimate(figure) for figure in FIGURES})


def _ratios(case: Case, sampled: Mapping[str, Sampled]) -> dict[str, dict[Figure, Estimate]]:
    ours = sampled[case.ours]
    ratios: dict[str, dict[Figure, Estimate]] = {}
    for rival in case.rivals:
        if rival in sampled:
            found = {figure: ours.ratio(sampled[rival], figure) for figure in FIGURES}
            ratios[rival] = {figure: estimate for figure, estimate in found.items() if estimate is not None}
    return ratios


def _held(
    ours: str, aim: Aim, params: Params, sampled: Mapping[str, Sampled], places: Mapping[object, Sampled]
) -> Estimate | None:
    """The figure that an aim speaks of; None where it was not measured."""
    mine = sampled[ours]
    if not aim.is_ratio:
        return mine.estimate(aim.figure)
    other = sampled.get(aim.against) if aim.against else places.get(_key({**params, **aim.base}))
    return None if other is None else mine.ratio(other, aim.figure)


def _key(params: Params) -> object:
    return frozenset(params.items())
