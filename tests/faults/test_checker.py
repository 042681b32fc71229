"""The harness's checker finds what it is there for: made-up histories, each with one breach."""

from __future__ import annotations

import pytest

from bench.faults.checker import KINDS, check, tally
from bench.faults.history import TORN, History, Log, Missed, PartLog, Seen, Segment, SourceLog, Unknown, Write
from bench.faults.recorder import WriteRecorder, expected_at_end

# Two groups and a writer's key. Segment 0 goes to revision 5; etcd is then restored to revision 3.
WRITES = [
    Write(1, 0, 2, {0: 1, 2: 1}),
    Write(2, 0, 3, {1: 2, 2: 2}),
    Write(3, 0, 4, {0: 3, 1: 3, 2: 3}),
    Write(4, 0, 5, {0: 0, 2: 4}),
    Write(5, 1, 4, {1: 5, 2: 5}),
]
STATES = {2: (1, 0, 1), 3: (1, 2, 2), 4: (3, 3, 3), 5: (0, 3, 4)}
AFTER = (1, 5, 5)
"""At revision 4 of segment 1."""


def history(**changes):
    segments = [Segment(0, (0, 0, 0)), Segment(3, STATES[3], 3, "restore")]
    return History(**{"segments": segments, "writes": WRITES, "final": (4, AFTER)} | changes)


def seen(*revisions, restores=0, first=1):
    return [Seen(first + n, revision, STATES[revision], restores) for n, revision in enumerate(revisions)]


END = Seen(9, 4, AFTER, 1)


def kinds(*items, lossless=False, from_mirror=False, **changes):
    breaches = check(history(**changes), [Log("one", list(items), lossless, from_mirror)])
    return [breach.kind for breach in breaches]


def test_what_was_promised_is_no_breach():
    assert kinds(*seen(2, 3, 4, 5), END) == []
    assert kinds(*seen(3, 5), END) == [], "conflated"
    assert kinds(*seen(2, 3), Seen(9, 4, AFTER, 0)) == [], "what was seen before is part of the restored history"
    assert kinds(Missed(1, 4), *seen(4, first=5), Seen(6, 4, AFTER, 1), lossless=True) == []
    assert kinds(*seen(5), Seen(9, 4, AFTER), from_mirror=True) == [], "the mirror was of a history that is no more"


def test_a_torn_group_is_found():
    assert kinds(*seen(2), Seen(2, 3, (1, TORN, 2)), END) == ["torn"]


def test_a_lost_write_is_found():
    assert kinds(*seen(2), Seen(2, 4, (3, 2, 3)), END) == ["lost"]
    assert kinds(*seen(2), Seen(2, 5, STATES[4]), END) == ["lost"], "the newer revision without its write"


def test_a_deletion_that_is_missed_is_found():
    assert kinds(Seen(1, 5, (3, 3, 4)), END) == ["lost"]


def test_a_value_that_nobody_wrote_is_found():
    assert kinds(*seen(2), Seen(2, 3, (1, 77, 2)), END) == ["phantom"]


def test_a_step_back_is_found():
    assert kinds(*seen(4, 2), END) == ["back"]
    assert kinds(*seen(3), END, Seen(10, 4, STATES[4], 1), Seen(11, 4, AFTER, 1)) == ["back"], "to a history of before"


def test_a_duplicate_and_a_smaller_generation_are_found():
    assert kinds(*seen(2), *seen(3), END) == ["twice"]
    assert kinds(*seen(2, first=5), *seen(3, first=4), END) == ["twice"]


def test_a_hole_in_the_lossless_stream_is_found():
    assert kinds(*seen(2), *seen(4, first=3), Seen(4, 4, AFTER, 1), lossless=True) == ["hole"]


def test_a_restore_that_was_not_recognised_is_found():
    assert kinds(*seen(4), Seen(9, 4, AFTER, 0)) == ["unrecognised"]


def test_an_older_end_is_found():
    assert kinds(*seen(2, 3)) == ["not converged"]
    assert kinds() == ["not converged"]


def test_a_state_that_etcd_showed_and_lost_is_no_breach():
    """A lone 3.5.1 that is killed: revision 6 was shown and never acknowledged."""
    unknown = [Unknown(6, 0, {1: 6, 2: 6})]
    shown = Seen(3, 6, (0, 6, 6))
    assert kinds(*seen(4, 5), shown, END, unknown=unknown) == []
    assert kinds(*seen(4, 5), shown, END) == ["phantom"]
    invented = Seen(3, 6, (6, 6, 6))
    assert kinds(*seen(4, 5), invented, END, unknown=unknown) == ["lost"], "it did not write that group"


def part(*values):
    return [breach.kind for breach in check(history(), [], [PartLog("part", 0, list(values))])]


def test_a_selected_part_is_checked_too():
    assert part((1, 0), (3, 0), (0, 0), (1, 1)) == []
    assert part((3, 0), (1, 0)) == ["back"]
    assert part((TORN, 0), (1, 0)) == ["torn"]
    assert part((77, 0), (1, 0)) == ["phantom"]
    assert part((1, 0), (3, 0)) == ["not converged"]


def source(overtaken=0, **counters):
    return [breach.kind for breach in check(history(), [], [], [SourceLog("source", counters, overtaken)])]


def test_relists_and_restores_need_a_cause():
    assert source(relists=1, relists_compacted=1, overtaken=1) == []
    assert source(relists=1, relists_restored=1, restores=1) == []
    assert source(relists=1, relists_compacted=1) == ["needless relist"]
    assert source(relists=1) == ["needless relist"]
    assert source(relists=2, relists_restored=2, restores=2) == ["needless restore"]


def test_every_kind_is_counted():
    breaches = check(history(), [Log("one", [*seen(4, 2)])])
    assert tally(breaches) == dict.fromkeys(KINDS, 0) | {"back": 1, "not converged": 1}


@pytest.mark.parametrize(("cause", "lost", "undone"), [("kill", 1, 0), ("restore", 0, 1), ("wipe", 0, 2)])
def test_what_etcd_lost_itself_is_counted_apart(cause, lost, undone):
    recorder = WriteRecorder((0, 0))
    for revision in (2, 3):
        recorder.wrote(recorder.next_number(), {0: revision - 1}, revision, acknowledged=True)
    recorder.begin(1 if cause == "wipe" else 2, (0, 0) if cause == "wipe" else (1, 0), cause)
    assert (len(recorder.lost_by_etcd), recorder.undone) == (lost, undone)
    recorder.wrote(recorder.next_number(), {1: 3}, 4, acknowledged=True)
    assert expected_at_end(recorder.history) == ((0, 3) if cause == "wipe" else (1, 3))
