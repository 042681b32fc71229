"""`get`, `explain`, `check` and `schema`: what they print and how they exit."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest

from reactive_config import Secret, Shown
from reactive_config._cli import schema
from reactive_config._cli.schema import schema_of
from reactive_config._testing.etcd_server import EtcdServer

Run = Callable[..., Any]


class Leaf(pydantic.BaseModel):
    port: int = pydantic.Field(ge=1)


class Model(pydantic.BaseModel):
    leaf: Leaf


class Around(msgspec.Struct):
    model: Model


FILES = ("config/common", "config/production")
TYPED = (*FILES, "--type", "settings:App")


def test_get_prints_the_effective_tree_with_defaults(cli: Run) -> None:
    result = cli("get", ".", *TYPED)
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {
        "database": {"dsn": "***", "pool": {"min_size": 1, "max_size": 50}},
        "log": {"root": "INFO", "sqlalchemy.engine": "WARNING"},
        "refresh": "1m30s",
        "workers": 4,
    }


def test_get_prints_a_scalar_bare(quick: Run) -> None:
    for path, printed in (
        ("database.pool.max_size", "50"),
        ("log.root", "INFO"),
        ('log."sqlalchemy.engine"', "WARNING"),
    ):
        assert quick("get", path, *TYPED)[:2] == (0, f"{printed}\n")
        assert quick("get", path, *FILES)[:2] == (0, f"{printed}\n")


def test_get_as_json_is_one_documented_line(quick: Run) -> None:
    result = quick("get", "database.pool", *FILES, "--json")
    assert result.records == [{"event": "value", "path": "database.pool", "value": {"max_size": 50}, "generation": 1}]


def test_sources_and_type_may_come_from_the_environment(cli: Run) -> None:
    result = cli("get", "workers", REACTIVE_CONFIG_SOURCES="config/common", REACTIVE_CONFIG_TYPE="settings:App")
    assert (result.code, result.out) == (0, "4\n")


def test_the_order_on_the_command_line_decides(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE__POOL__MAX_SIZE", "77")
    assert quick("get", "database.pool.max_size", "env:SHOP_", *TYPED).out == "50\n"
    assert quick("get", "database.pool.max_size", *TYPED, "env:SHOP_").out == "77\n"


def test_a_path_that_is_not_there_is_one_clear_message(quick: Run) -> None:
    for arguments, code, words in (
        (("get", "databse.pool", *TYPED), 1, ["did you mean database?"]),
        (("get", "databse.pool", *FILES), 1, ["nothing stands there", "did you mean database?"]),
        (("get", "log.rot", *TYPED), 1, ["did you mean log.root?"]),
        (("get", "workers.x", *TYPED), 1, ["one below workers"]),
        (("get", "refresh.x", *FILES), 1, ["refresh is a value, not a table"]),
        (("get", "a..b", *FILES), 2, ["a dotted path"]),
        (("get", "config/common"), 2, [". config/common"]),
        (("explain", "nope", *FILES), 1, ["nothing stands there"]),
    ):
        result = quick(*arguments)
        assert (result.code, result.out) == (code, ""), arguments
        assert all(word in result.err for word in words), result.err
        (record,) = quick(*arguments, "--json").records
        assert (record["event"], record["error"]) == ("error", "usage" if code == 2 else "absent")


def test_explain_lists_every_layer_the_winner_first(quick: Run) -> None:
    result = quick("explain", "database.pool.max_size", *TYPED)
    assert result.code == 0
    assert [line.split() for line in result.out.splitlines()] == [
        ["VALUE", "SOURCE", "WHERE"],
        [">", "50", "config/production", "config/production/10.toml:2:12"],
        ["10", "config/common", "config/common/app.yaml:4:15"],
    ]


def test_explain_as_json_has_origins(quick: Run) -> None:
    first, second = quick("explain", "database.pool.max_size", *FILES, "--json").records
    place = "config/production/10.toml"
    origin = {"source": "config/production", "place": place, "revision": 0, "line": 2, "column": 12}
    assert first == {
        "event": "layer", "path": "database.pool.max_size", "value": 50, "in_force": True, "origin": origin,
    }  # fmt: skip
    assert (second["value"], second["in_force"]) == (10, False)


def test_explain_says_where_the_type_decides(quick: Run) -> None:
    assert "the type's default" in quick("explain", "workers", *TYPED).out
    assert quick("explain", "workers", *TYPED, "--json").records[0]["origin"] is None


def test_check_is_short_when_all_fits(quick: Run) -> None:
    assert quick("check", *TYPED)[:2] == (0, "ok: 7 values from 2 sources fit settings:App\n")


def test_check_names_every_problem_with_its_place(quick: Run, shop: Path) -> None:
    (shop / "config/production/10.toml").write_text("wrkers = 3\n[database.pool]\nmax_size = 9000\nmin_size = true\n")
    result = quick("check", *TYPED)
    assert result.code == 1
    names, got = "database, log, refresh, workers", "got an unknown name, did you mean workers?"
    assert result.out.splitlines() == [
        "config/production/10.toml:4:12: database.pool.min_size: expected int, got True",
        "config/production/10.toml:3:12: database.pool.max_size: expected int <= 500, got 9000",
        f"config/production/10.toml:1:1: wrkers: expected one of the names {names}, {got}",
        "3 problems",
    ]
    records = quick("check", *TYPED, "--json").records
    assert [record["event"] for record in records] == ["problem"] * 3 + ["result"]
    assert records[-1] == {"event": "result", "ok": False, "problems": 3, "warnings": []}
    assert records[1]["origin"]["line"] == 3


def test_check_says_what_a_cause_may_explain(quick: Run, shop: Path) -> None:
    result = quick("check", "config/nowhere", "--type", "settings:App")
    assert result.code == 1
    assert result.out.splitlines()[0].startswith("config/nowhere: expected a directory (or optional=True")
    assert result.out.splitlines()[1:] == ["1 problem"]
    assert "hint: 1 required value is missing, perhaps because of that: database" in result.err.splitlines()


def test_check_warns_of_unknown_keys_and_strict_refuses_them(quick: Run, shop: Path) -> None:
    (shop / "config/production/10.toml").write_text("[database.pool]\nmax_sise = 90\n")
    place = "config/production/10.toml:2:1"
    warning = f"database.pool.max_sise: unknown key, ignored; did you mean max_size? ({place})"
    result = quick("check", *TYPED)
    assert result.code == 0
    assert result.err.splitlines() == [f"warning: {warning}"]
    assert result.out.startswith("ok: ")
    strict = quick("check", *TYPED, "--strict")
    assert strict.code == 1
    assert strict.out.splitlines() == [f"warning: {warning}", "unknown keys, which --strict does not allow"]
    (record,) = quick("check", *TYPED, "--json").records
    assert (record["ok"], record["warnings"]) == (True, [warning])
    result = quick("check", *TYPED, "--json", "--strict")
    assert result.code == 1
    assert result.records == [{"event": "result", "ok": False, "problems": 0, "warnings": [warning]}]


def test_check_names_file_line_and_column_of_what_cannot_be_parsed(quick: Run, shop: Path) -> None:
    (shop / "config/common/app.yaml").write_text("a: 1\nb: [1,\n")
    (shop / "config/production/10.toml").write_text("a = 1\nb = = 2\n")
    result = quick("check", *FILES)
    assert result.code == 1
    assert "config/common/app.yaml:" in result.out
    assert "config/production/10.toml:2:5: expected" in result.out


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("config/comon", "did you mean config/common?"),
        ("settings.py", "no format goes by this suffix"),
        ("empty", "has no file with a known suffix"),
    ],
)
def test_a_source_without_content_comes_with_a_hint(quick: Run, shop: Path, source: str, hint: str) -> None:
    (shop / "empty").mkdir()
    result = quick("check", source)
    assert result.code == 1
    assert hint in result.err


def test_an_optional_source_may_be_missing(quick: Run) -> None:
    assert quick("check", "config/common", "optional:config/local").code == 0


def test_a_source_that_does_not_answer_is_named(quick: Run) -> None:
    result = quick("get", ".", *FILES, "etcd://127.0.0.1:1/shop/", "--timeout", "0.4")
    assert (result.code, result.out) == (1, "")
    assert "etcd: connecting: " in result.err
    assert "Traceback" not in result.err


def test_schema_is_that_of_the_type(cli: Run) -> None:
    result = cli("schema", "--type", "settings:App")
    found = json.loads(result.out)
    assert result.code == 0
    assert found["$defs"]["Pool"]["properties"]["max_size"] == {
        "type": "integer", "minimum": 1, "maximum": 500, "default": 10,
    }  # fmt: skip
    assert found["$defs"]["Database"]["properties"]["dsn"]["writeOnly"] is True
    assert found["$defs"]["App"]["properties"]["refresh"]["type"] == ["string", "number"]


class Hidden(msgspec.Struct, frozen=True):
    mark: Secret[str] = Secret("CANARY")
    password: str = "CANARY"
    name: str = "n"
    pin: int = 4


class Hiding(msgspec.Struct):
    part: Hidden = Hidden()
    free: dict[str, str] = {}
    log: Secret[str] | None = None


class HidingModel(pydantic.BaseModel):
    mark: pydantic.SecretStr = pydantic.SecretStr("CANARY")
    password: str = "CANARY"
    free: dict[str, str] = {"token": "CANARY", "a": "b"}
    port: int = 80


def test_schema_leaves_out_the_defaults_that_are_secrets() -> None:
    found = schema_of(Hiding)
    assert "CANARY" not in json.dumps(found)
    assert {n: f.get("default") for n, f in found["$defs"]["Hidden"]["properties"].items()} == {
        "mark": None, "password": None, "name": "n", "pin": 4,
    }  # fmt: skip
    found = schema_of(HidingModel)
    assert "CANARY" not in json.dumps(found)
    assert {n: f.get("default") for n, f in found["properties"].items() if "default" in f} == {"port": 80}


class Credentials(pydantic.BaseModel):
    zed: pydantic.SecretStr = "CANARY"  # type: ignore[assignment]
    dsn_or: Annotated[str, pydantic.Field(default="CANARY")]
    other: str = pydantic.Field(default="CANARY", alias="password")
    odd: Any = object()
    host: str = "h"


class Nested(pydantic.BaseModel):
    part: Credentials = Credentials.model_construct()
    parts: dict[str, list[Credentials]] = {}


class Named(msgspec.Struct):
    pw: str = msgspec.field(default="CANARY", name="plain")
    plain_one: str = msgspec.field(default="CANARY", name="password")
    free: Any = msgspec.field(default_factory=lambda: {"password": "CANARY"})
    secret_any: Any = 5
    default: Literal["a"] = "a"
    more: Annotated[str, Shown()] = msgspec.field(default="shown", name="secret")
    again: list[Named] = []


class Listed(msgspec.Struct, array_like=True, frozen=True):
    token: str = "CANARY"
    host: str = "h"


class Inner(msgspec.Struct, frozen=True):
    host: str = "CANARY"


class Outer(msgspec.Struct):
    auth: Inner = Inner()
    listed: Listed = Listed()
    secrets: tuple[str, ...] = ("CANARY",)
    other: Inner | None = None


@pytest.mark.parametrize("kind", [Credentials, Nested, Named, Outer, Around])
def test_schema_shows_the_defaults_that_are_shown_everywhere_else(
    kind: Any, quick: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "load_kind", lambda *names: kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = quick("schema", "--type", "shop:App")
    assert (result.code, result.err) == (0, "")
    assert "CANARY" not in result.out
    found = json.loads(result.out)
    if kind is Named:
        fields = found["$defs"]["Named"]["properties"]
        shown = {name: field["default"] for name, field in fields.items() if "default" in field}
        assert shown == {"default": "a", "secret": "shown", "again": []}
    if kind is Nested:
        assert found["$defs"]["Credentials"]["properties"]["host"]["default"] == "h"


class SealedModel(pydantic.BaseModel):
    own: Secret[str]
    default: Secret[str] = Secret("CANARY")
    maybe: Secret[str] | None = None
    inner: dict[str, Secret[int]] = {}
    theirs: pydantic.SecretStr = pydantic.SecretStr("CANARY")
    model: Secret[Leaf] | None = None


@pytest.mark.parametrize("kind", [SealedModel, msgspec.defstruct("Outer", [("model", SealedModel)])])
@pytest.mark.filterwarnings("ignore:Default value Secret")
def test_schema_marks_the_secrets_of_pydantic_models(kind: Any) -> None:
    found = schema_of(kind)
    assert "CANARY" not in json.dumps(found)
    fields = (found if kind is SealedModel else found["$defs"]["Outer"]["properties"]["model"])["properties"]
    assert fields["own"] == {"title": "Own", "type": "string", "writeOnly": True}
    for marked in (
        fields["default"],
        fields["maybe"]["anyOf"][0],
        fields["inner"]["additionalProperties"],
        fields["theirs"],
        fields["model"]["anyOf"][0],
    ):
        assert marked["writeOnly"] is True
    assert fields["inner"]["additionalProperties"]["type"] == "integer"


def test_schema_of_pydantic_models_is_their_own() -> None:
    assert schema_of(Model) == Model.model_json_schema()
    found = schema_of(Around)["$defs"]
    assert found["Around"]["properties"]["model"]["properties"]["leaf"] == {"$ref": "#/$defs/Leaf"}
    assert found["Leaf"]["properties"]["port"]["minimum"] == 1


@pytest.mark.etcd
def test_get_and_explain_read_a_real_etcd(cli: Run, etcd: EtcdServer) -> None:
    etcd.ctl("put", "/get/database/pool/max_size", "25")
    source = f"etcd://{etcd.endpoint}/get/"
    assert cli("get", "database.pool", *TYPED[:2], source)[:2] == (0, '{\n  "max_size": 25\n}\n')
    top = cli("explain", "database.pool.max_size", *TYPED, source).out.splitlines()[1]
    assert "/get/database/pool/max_size" in top
    missing = cli("get", ".", f"etcd://{etcd.endpoint}/get")
    assert missing.code == 1
    assert f"end it in a slash: {source}" in missing.err


def test_the_files_of_an_environment(cli: Run, shop: Path) -> None:
    """The layers have the names of their files; one that is not there is told with those that are."""
    (shop / "config/staging.local.toml").write_text("workers = 7")
    (shop / "config/staging.toml").write_text("workers = 6")
    shown = cli("explain", "workers", "environment:config/staging", "--json").records
    places = [one["origin"]["place"] for one in shown]
    assert places[:2] == ["config/staging.local.toml", "config/staging.toml"]
    refused = cli("check", "environment:config/prod")
    assert (refused.code, "there is production, staging" in refused.out) == (1, True)
    assert cli("check", "environment:config/local").code == 2
    assert cli("get", "workers", "optional:environment:config/prod", "env:S_", S_WORKERS="3").out == "3\n"


def test_every_command_names_the_variable_that_a_field_names(cli: Run, shop: Path) -> None:
    (shop / "named.py").write_text(
        "from typing import Annotated\nimport msgspec\nfrom reactive_config import EnvName\n"
        "class App(msgspec.Struct):\n    size: Annotated[int, EnvName('POOL_SIZE')] = 1\n"
    )
    command = ("env:SHOP_", "--type", "named:App")
    assert cli("get", "size", *command, POOL_SIZE="5").out == "5\n"
    shown = cli("explain", "size", *command, "--json", POOL_SIZE="5", SHOP_SIZE="6").records
    assert [(one["origin"]["place"], one["in_force"]) for one in shown] == [("SHOP_SIZE", True), ("POOL_SIZE", False)]
    assert "environment POOL_SIZE: size: expected int, got 'many'" in cli("check", *command, POOL_SIZE="many").out
    assert "SYNCED, 1 value" in cli("doctor", *command, POOL_SIZE="5").out
    assert "SYNCED, 0 values" in cli("doctor", "env:SHOP_", POOL_SIZE="5").out


@pytest.mark.etcd
def test_documents_in_keys_without_a_suffix(cli: Run, etcd: EtcdServer) -> None:
    """Without the option a message and a hint say what to write; with it the line is known."""
    source = f"etcd://{etcd.endpoint}/format/"
    etcd.ctl("put", "/format/database", "pool:\n  max_size: 33")
    refused = cli("get", "database.pool.max_size", *FILES, source, "--type", "settings:App")
    assert refused.code == 1
    assert "which looks like YAML" in refused.err
    assert "here: --key-format yaml" in refused.err
    result = cli("explain", "database.pool.max_size", *FILES, source, "--key-format", "yaml", "--json")
    assert result.records[0]["value"] == 33
    assert result.records[0]["origin"]["line"] == 2
    usage = cli("get", ".", *FILES, "--key-format", "yaml")
    assert (usage.code, "expected an etcd:// source with --key-format" in usage.err) == (2, True)


@pytest.mark.etcd
def test_check_counts_a_key_that_a_start_holds_once(cli: Run, etcd: EtcdServer, tmp_path: Path) -> None:
    """With a mirror the program starts; the source is there, and the key is the one problem."""
    source = f"etcd://{etcd.endpoint}/once/"
    mirror = ("--mirror", str(tmp_path / "m.json"))
    etcd.ctl("put", "/once/database/pool/max_size", "25")
    assert cli("check", *TYPED, source, *mirror).code == 0
    etcd.ctl("put", "/once/database/pool/max_size", "many")
    result = cli("check", *TYPED, source, *mirror)
    assert (result.code, "1 problem" in result.out, "STALE" in result.out) == (1, True, False)
