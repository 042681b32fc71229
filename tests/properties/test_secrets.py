"""Secrets planted in every shape of type and content, and looked for in every output; what is no secret is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.properties.outputs import through_commands, through_files_and_variables, through_memory
from tests.properties.planted_secrets import Case, cases


def a_few(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


def check_memory(case: Case) -> None:
    heard = through_memory(case)
    heard.assert_silent(case.planter.secrets)
    assert not [text for text in case.planter.typed if text in "".join(heard.inward)]
    told = [heard.text(where) for where in ("describe", "explain", "/config")]
    if told[0]:  # it opened
        for text in ["count", *case.planter.plain]:
            assert all(text in one for one in told) or text not in json.dumps(case.good), (text, case)


def check_files_and_variables(case: Case, directory: Path) -> None:
    through_files_and_variables(case, directory).assert_silent(case.planter.secrets)


def check_commands(case: Case, directory: Path) -> None:
    heard = through_commands(case, directory)
    heard.assert_silent(case.planter.secrets)
    for text in case.planter.plain:
        if text in json.dumps(case.good):
            assert text in heard.text("get .")
            assert text in heard.text("explain .")


@pytest.mark.slow
@a_few(40)
@given(cases())
def test_no_output_has_a_secret_and_each_has_what_is_none(case: Case) -> None:
    check_memory(case)


@pytest.mark.slow
@a_few(4)
@given(case=cases())
def test_no_secret_of_a_file_or_a_variable_is_shown(case: Case, tmp_path: Path) -> None:
    check_files_and_variables(case, tmp_path)


@pytest.mark.slow
@a_few(3)
@given(case=cases())
def test_no_command_prints_a_planted_secret(case: Case, tmp_path: Path) -> None:
    check_commands(case, tmp_path)


@pytest.mark.storm
@pytest.mark.timeout(600)
@a_few(600)
@given(cases())
def test_a_storm_of_types(case: Case) -> None:
    check_memory(case)


@pytest.mark.storm
@pytest.mark.timeout(600)
@a_few(25)
@given(case=cases())
def test_a_storm_of_files_variables_and_commands(case: Case, tmp_path: Path) -> None:
    check_files_and_variables(case, tmp_path)
    check_commands(case, tmp_path)
