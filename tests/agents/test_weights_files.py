"""Weights files that are none: one sentence each."""

import json

import numpy as np
import pytest

import agents
from agents.policy import SHIPPED


@pytest.fixture
def stored():
    with np.load(SHIPPED / "daily.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trained": "[1, 2]"}, r"trained is \[1, 2\]; expected a table"),
        ({"trained": "5"}, "trained is 5; expected a table"),
        ({"trained": json.dumps({"num_arms": 3})}, r"trained holds num_arms = 3; expected \[least, most\]"),
        ({"trained": json.dumps({"num_arms": [1, 2, 3]})}, r"num_arms = \[1, 2, 3\]; expected \[least, most\]"),
        ({"trained": json.dumps({"max_days": ["a", "b"]})}, r"max_days = \['a', 'b'\]; expected \[least, most\]"),
        ({"trained": "[" * 100_000}, "recursion"),
        ({"inner": np.zeros(3)}, r"inner has shape \(3,\); expected"),
        ({"kind": np.array("x")}, "kind is 'x'; expected one of"),
    ],
)
def test_what_a_weights_file_may_not_hold(tmp_path, stored, change, told):
    np.savez(tmp_path / "w.npz", **(stored | {name: np.array(value) for name, value in change.items()}))
    with pytest.raises(ValueError, match=told) as caught:
        agents.make("learned", path=str(tmp_path / "w.npz"))
    assert "w.npz" in str(caught.value)


@pytest.mark.parametrize("path", ["x" * 300, "a\0b", "", ".", "/", "~", "no/such"])
def test_names_that_no_weights_file_can_have(path):
    with pytest.raises(ValueError, match="no weights file"):
        agents.make("learned", path=path)
