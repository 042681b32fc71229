"""What stays one object where layers are folded anew."""

from __future__ import annotations

from reactive_config._core.delta import Entry
from reactive_config._core.layers import Layer


def test_a_table_beside_a_change_stays_the_same_object_however_deep_the_change_is() -> None:
    layer = Layer("low")
    layer.put("1", Entry(("app",), {"server": {"name": "a", "limits": {"rate": 1}}}, 1))
    layer.refold()
    limits = layer.tree["app"]["server"]["limits"]

    layer.put("1", Entry(("app",), {"server": {"name": "b", "limits": {"rate": 1}}}, 2))

    assert layer.refold() == {"app": {"server": {"name": None}}}
    assert layer.tree == {"app": {"server": {"name": "b", "limits": {"rate": 1}}}}
    assert layer.tree["app"]["server"]["limits"] is limits
