"""JSON in an environment variable beside variables that stand deeper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pytest

from reactive_config import Env, Memory, Secret, StartupError, open_config


class Inner(msgspec.Struct, frozen=True):
    v1: int = 0
    v2: int = 0
    names: list[str] = []


class App(msgspec.Struct, frozen=True):
    sub: Inner = Inner()
    maybe: Inner | None = None
    free: dict[str, int] = {}
    nested: dict[str, dict[str, int]] = {}
    open: Any = None
    either: Inner | str = ""
    text: str = ""
    key: Secret[str] = Secret("")


async def read(kind=App, /, lower=(), **variables):
    environ = {f"S_{name}": text for name, text in variables.items()}
    async with open_config(kind, *lower, Env("S_", environ=environ)) as config:
        return config.current


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sub", Inner(1, 2)),
        ("maybe", Inner(1, 2)),
        ("free", {"v1": 1, "v2": 2}),
        ("open", {"v1": 1, "v2": 2}),
        ("either", Inner(1, 2)),
    ],
)
async def test_a_deeper_variable_is_laid_over_the_table_that_json_spells(name, value):
    current = await read(**{name.upper(): '{"v1": 1}', f"{name.upper()}__V2": "2"})
    assert getattr(current, name) == value


async def test_the_deeper_variable_wins_at_its_own_path_and_a_list_is_replaced():
    current = await read(SUB=' {"v1": 1, "names": ["a", "b"]}', SUB__V1="3", SUB__NAMES='["c"]')
    assert current.sub == Inner(3, 0, ["c"])


@pytest.mark.parametrize("kind", [dict, dict[str, Any], dict[str, dict[str, dict[str, int]]]])
async def test_json_at_several_depths_merges_from_the_shallow_to_the_deep(kind):
    current = await read(kind, A='{"b": {"c": 1, "e": 0}}', A__B='{"d": 2}', A__B__E="3")
    assert current == {"a": {"b": {"c": 1, "d": 2, "e": 3}}}


async def test_json_merges_at_two_depths_of_an_open_configuration_also_with_nothing_deeper():
    assert await read(dict, A='{"b": {"c": 1}}', A__B='{"d": 2}') == {"a": {"b": {"c": 1, "d": 2}}}


async def test_json_of_a_table_is_laid_over_the_table_of_a_lower_layer():
    current = await read(App, [Memory({"sub": {"v1": 1, "v2": 1}})], SUB='{"v2": 2}')
    assert current.sub == Inner(1, 2)


async def test_names_inside_json_are_the_types_own_and_keep_their_case():
    assert await read(dict, A='{"B": 1}', A__B="2") == {"a": {"B": 1, "b": 2}}


async def test_what_may_be_a_text_keeps_its_text():
    current = await read(TEXT='{"v1": 1}', OPEN='{"v1": 1}', EITHER="{greeting}")
    assert (current.text, current.open, current.either) == ('{"v1": 1}', '{"v1": 1}', "{greeting}")


async def test_a_variable_below_a_text_is_unknown(caplog):
    assert (await read(TEXT='{"v1": 1}', TEXT__V2="2")).text == '{"v1": 1}'
    assert "text.v2: unknown key, ignored (environment S_TEXT__V2)" in caplog.text


@pytest.mark.parametrize(("inner", "value"), [(str, "{hello}"), (dict[str, int], {"a": 1, "b": 2})])
async def test_a_root_model_takes_what_its_root_takes(inner, value):
    pydantic = pytest.importorskip("pydantic")
    kind = msgspec.defstruct("Kind", [("sub", pydantic.RootModel[inner])])
    variables = {"SUB": value} if inner is str else {"SUB": '{"a": 1}', "SUB__B": "2"}
    assert (await read(kind, **variables)).sub.root == value


async def test_null_is_no_table():
    assert (await read(MAYBE="null")).maybe is None


@pytest.mark.parametrize("deeper", [{}, {"SUB__V2": "2"}])
@pytest.mark.parametrize(
    ("text", "expected", "column"),
    [
        ('{"v1": canary}', "valid JSON", 8),
        ('{"v1": 1, "v1": 2}', "every key once in its table", 11),
        ('{"v1": 99999999999999999999}', "an integer of at most 64 bits", 8),
        ('{"v1": ' + "[" * 500 + "]" * 500 + "}", "tables and lists nested at most 128 deep", 135),
    ],
)
async def test_json_that_cannot_be_read_is_a_problem_of_its_variable(text, expected, column, deeper):
    with pytest.raises(StartupError) as caught:
        await read(SUB=text, **deeper)
    (problem,) = caught.value.problems
    assert (problem.path, problem.expected) == ("sub", expected)
    assert (problem.origin.place, problem.origin.line, problem.origin.column) == ("S_SUB", 1, column)
    assert "canary" not in str(caught.value)


async def test_malformed_json_beside_a_deeper_variable_is_told_where_no_type_says_anything():
    with pytest.raises(StartupError) as caught:
        await read(dict, A="{", A__B="1")
    assert [(p.path, p.origin.place) for p in caught.value.problems] == [("a", "S_A")]


async def test_a_value_is_explained_by_the_variable_that_says_it():
    environ = {"S_SUB": '{"v1": 1, "v2": 1}', "S_SUB__V2": "2"}
    async with open_config(App, Env("S_", environ=environ)) as config:
        assert [e.origin.place for e in config.explain("sub.v1")] == ["S_SUB"]
        assert [(e.origin.place, e.in_force) for e in config.explain("sub.v2")] == [
            ("S_SUB__V2", True),
            ("S_SUB", False),
        ]


class Box(msgspec.Struct, frozen=True):
    key: Secret[str]
    port: int = 0


class Root(msgspec.Struct, frozen=True):
    box: Box


async def test_a_secret_in_json_stays_hidden():
    environ = {"S_BOX": '{"key": "canary", "port": 1}', "S_BOX__PORT": "2"}
    async with open_config(Root, Env("S_", environ=environ)) as config:
        assert config.current.box.key.reveal() == "canary"
        assert "canary" not in repr([config.explain("box"), config.describe(), config.status(), config.current])


@dataclass(frozen=True)
class Table:
    v1: int
    v2: int


CASES: list[tuple[Any, dict[str, str]]] = [
    (Table, {"SUB": '{"v1": 1}', "SUB__v2": "2"}),
    (dict[str, int], {"SUB": '{"v1": 1, "v2": 3}', "SUB__v2": "2"}),
    (dict[str, dict[str, int]], {"SUB": '{"b": {"c": 1}}', "SUB__b": '{"d": 2}', "SUB__b__e": "3"}),
    (dict[str, list[int]], {"SUB": '{"l": [1, 2]}', "SUB__l": "[3]"}),
    (dict[str, int] | None, {"SUB": '{"v1": 1}', "SUB__v2": "2"}),
    (str, {"SUB": '{"v1": 1}'}),
    (Literal["a"], {"SUB": "a"}),
]


@pytest.mark.parametrize(("kind", "variables"), CASES)
async def test_it_is_what_pydantic_settings_makes_of_it(kind, variables, monkeypatch):
    settings = pytest.importorskip("pydantic_settings")
    pydantic = pytest.importorskip("pydantic")
    for name, text in variables.items():
        monkeypatch.setenv(f"S_{name}", text)

    class Theirs(settings.BaseSettings):
        model_config = settings.SettingsConfigDict(env_prefix="S_", env_nested_delimiter="__")

    theirs = pydantic.create_model("Theirs", __base__=Theirs, sub=(kind, ...))
    ours = msgspec.defstruct("Ours", [("sub", kind)], frozen=True)
    async with open_config(ours, Env("S_")) as config:
        assert config.current.sub == theirs().sub


class Shop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It refuses unknown names wherever they stand, but in the environment."""

    port: int = 8000
    sub: Inner = Inner()


KUBERNETES = {
    "SHOP_SERVICE_HOST": "10.0.0.1",
    "SHOP_SERVICE_PORT": "80",
    "SHOP_SERVICE_PORT_HTTP": "80",
    "SHOP_PORT": "tcp://10.0.0.1:80",
    "SHOP_PORT_80_TCP": "tcp://10.0.0.1:80",
    "SHOP_PORT_80_TCP_PROTO": "tcp",
    "SHOP_PORT_80_TCP_PORT": "80",
    "SHOP_PORT_80_TCP_ADDR": "10.0.0.1",
}
"""What Kubernetes sets in every container beside a service named shop."""


async def test_variables_that_kubernetes_sets_are_notes_and_kill_nobody(caplog):
    kind = msgspec.defstruct("App", [("size", int, 1)], forbid_unknown_fields=True)
    async with open_config(kind, Env("SHOP_", environ={**KUBERNETES, "SHOP_SIZE": "2"})) as config:
        assert config.current.size == 2
        assert config.status().notes == tuple(
            f"{name.removeprefix('SHOP_').lower()}: unknown key, ignored (environment {name}, "
            "as Kubernetes sets for a service named shop)"
            for name in sorted(KUBERNETES)
        )
        assert [record.getMessage() for record in caplog.records] == list(config.status().notes)
        assert config.explain("") != ()


async def test_a_known_name_with_a_text_of_kubernetes_says_whose_it_is():
    with pytest.raises(StartupError) as caught:
        async with open_config(Shop, Env("SHOP_", environ=KUBERNETES)):
            pass
    said = "as Kubernetes sets for a service named shop (environment SHOP_PORT)"
    assert str(caught.value).splitlines()[1:] == [f"  port: expected int, got 'tcp://10.0.0.1:80', {said}"]


async def test_an_unknown_environment_name_is_left_out_of_a_type_that_forbids(caplog):
    environ = {"S_PROT": "1", "S_SUB__V3": "1", "S_SUB__V1": "2", "S_PORT__X": "1", "S_NAMES__A": "1"}
    async with open_config(Shop, Env("S_", environ=environ)) as config:
        assert config.current == Shop(sub=Inner(2))
        assert config.status().notes == (
            "names.a: unknown key, ignored (environment S_NAMES__A)",
            "port.x: unknown key, ignored (environment S_PORT__X)",
            "prot: unknown key, ignored; did you mean S_PORT? (environment S_PROT)",
            "sub.v3: unknown key, ignored (environment S_SUB__V3)",
        )


async def test_a_name_in_the_json_of_a_variable_is_judged_as_in_a_document():
    kind = msgspec.defstruct("App", [("sub", Inner, Inner()), ("shop", Shop, Shop())])
    async with open_config(kind, Env("S_", environ={"S_SUB": '{"v3": 1}'})) as config:
        assert [*config.status().notes] == ["sub.v3: unknown key, ignored (environment S_SUB)"]
    with pytest.raises(StartupError, match=r"shop\.prot: expected one of the names port, sub, got an unknown name"):
        async with open_config(kind, Env("S_", environ={"S_SHOP": '{"prot": 1}'})):
            pass


@pytest.mark.parametrize(("name", "text"), [("SHOP_PORT", "90x"), ("SHOP_PORT", "tcp://x y"), ("SHOP_PROT", "80")])
async def test_other_texts_are_not_blamed_on_kubernetes(name, text):
    try:
        async with open_config(Shop, Env("SHOP_", environ={name: text})) as config:
            told = " ".join(config.status().notes)
    except StartupError as error:
        told = str(error)
    assert "Kubernetes" not in told
