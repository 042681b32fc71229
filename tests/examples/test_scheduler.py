"""The scheduler of the examples, as a process: jobs come, change and go with a file, and none is cut short."""

from __future__ import annotations

import signal

import pytest

QUICK = "{every: 50ms, command: [echo, alive]}"


@pytest.fixture
def config(tmp_path):
    directory = tmp_path / "config"
    directory.mkdir()
    return directory


@pytest.fixture
def start(config, run):
    def start(**jobs):
        write(config, **jobs)
        scheduler = run("scheduler", "--config", config)
        scheduler.until("ready")
        return scheduler

    return start


def write(config, **jobs):
    lines = [f"  {name}: {job}\n" for name, job in jobs.items()]
    new = config / ".new"
    new.write_text("jobs:\n" + "".join(lines))
    new.replace(config / "jobs.yaml")


def test_jobs_come_change_and_go_with_the_file(config, start):
    scheduler = start(heartbeat=QUICK)
    scheduler.until("^alive$")
    write(config, heartbeat=QUICK, other="{every: 50ms, command: [echo, here]}")
    scheduler.until("^here$")
    write(config, heartbeat=QUICK, other="{every: 50ms, command: [echo, changed]}")
    scheduler.until("^changed$")
    write(config, heartbeat=QUICK)
    scheduler.until("other: removed")
    said = [line for _ in range(5) for line in scheduler.until("^alive$")]
    assert not any("changed" in line or "other" in line for line in said)
    assert scheduler.end()[-1] == "INFO scheduler: ended"


def test_a_job_may_change_from_an_expression_to_an_interval_and_be_switched_off(config, start):
    scheduler = start(report='{every: {cron: "0 0 29 2 *", timezone: Europe/Berlin}, command: [echo, report]}')
    write(config, report="{every: 50ms, command: [echo, report]}")
    scheduler.until("^report$")
    write(config, report="{every: 50ms, command: [echo, report], enabled: false}", heartbeat=QUICK)
    scheduler.until("^alive$")
    said = [line for _ in range(5) for line in scheduler.until("^alive$")]
    assert sum("report: begins" in line for line in said) <= 1


def test_an_edit_that_does_not_fit_changes_nothing(config, start):
    scheduler = start(heartbeat=QUICK)
    write(config, heartbeat='{every: {cron: "61 * * * *"}, command: [echo, wrong]}')
    scheduler.until(r"held .*jobs\.heartbeat")
    scheduler.until("^alive$")
    assert not any("wrong" in line for line in scheduler.end())


# Ends when it may; or after ten seconds, so that a test that fails leaves nothing behind.
SLOW = (
    "{every: 50ms, command: [sh, -c, 'echo begun;"
    " for i in $(seq 200); do [ -e %s ] && break; sleep 0.05; done; echo whole']}"
)


def test_a_job_that_runs_is_left_to_finish_when_it_is_removed_or_changed(config, start, tmp_path):
    go = tmp_path / "go"
    slow = SLOW % go
    scheduler = start(heartbeat=QUICK, slow=slow)
    scheduler.until("^begun$")
    write(config, heartbeat=QUICK, slow="{every: 1h, command: [echo, another]}")
    write(config, heartbeat=QUICK, added=QUICK)
    scheduler.until("added: added")
    write(config, heartbeat=QUICK, slow=slow)  # back again, and not twice at the same time
    for _ in range(5):
        assert "begun" not in scheduler.until("^alive$")
    go.touch()
    scheduler.until("^whole$")
    scheduler.until("slow: removed")
    scheduler.until("^begun$")


def test_a_signal_waits_for_the_job_that_runs(config, start, tmp_path):
    go = tmp_path / "go"
    scheduler = start(heartbeat=QUICK, slow=SLOW % go)
    scheduler.until("^begun$")
    scheduler.process.send_signal(signal.SIGTERM)
    scheduler.until("ending")
    assert scheduler.process.poll() is None
    go.touch()
    said = scheduler.until("scheduler: ended")
    assert "whole" in said
    assert scheduler.process.wait(timeout=20) == 0


def test_a_job_that_takes_longer_than_its_limit_or_does_not_start_hurts_no_other(config, start):
    scheduler = start(
        heartbeat=QUICK,
        slow="{every: 50ms, limit: 100ms, command: [sleep, '60']}",
        absent="{every: 50ms, command: [/no/such/program]}",
    )
    said = scheduler.until("slow: stopped after 0:00:00.1") + scheduler.until("^alive$")
    assert any("absent: did not start: No such file" in line for line in said + scheduler.until("absent: did not"))


def test_the_example_s_own_file_is_valid(run):
    scheduler = run("scheduler")
    said = scheduler.until("ready")
    while sum(": added" in line for line in said) < 3:
        said += scheduler.until(": added")
    assert scheduler.end()[-1] == "INFO scheduler: ended"
