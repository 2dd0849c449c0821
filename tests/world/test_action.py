"""The action's layout: what is encoded is decoded, and the compiled reader of one row agrees with the arrays' one."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bandit_env.world.action import check_arms, decode_action, encode_action, read_row, row_is_valid

SCORES = st.one_of(
    st.floats(0, 1, width=32), st.sampled_from([0.0, -0.0, 1.0, 0.5, 0.25, np.float32(-5e-7), np.float32(1 + 5e-7)])
)


def test_encode_writes_weights_then_the_stop_score():
    assert encode_action([0.25, 0.75]).tolist() == [0.25, 0.75, 0]
    assert encode_action([0.25, 0.75]).dtype == np.float32
    weights = [[0.25, 0.75], [0.5, 0.5], [1, 0]]
    assert encode_action(weights, [-1, 1, 0]).tolist() == [[0.25, 0.75, 0], [0, 1, 1], [1, 0, 1]]
    assert encode_action([0.25, 0.75], 1).tolist() == [0, 1, 1]
    assert encode_action(np.full((2, 1, 2), 0.5), [[0], [-1]]).tolist() == [[[1, 0, 1]], [[0.5, 0.5, 0]]]


def test_decode_normalises_and_takes_the_lowest_index_on_ties():
    weights, stop, arm = decode_action([[0.2, 0.2, 0.5], [0, 0, 0.51], [0.1, 0.3, 1]])
    np.testing.assert_allclose(weights, [[0.5, 0.5], [0.5, 0.5], [0.25, 0.75]])
    assert stop.tolist() == [False, True, True]
    assert arm.tolist() == [0, 0, 1]


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(3, 7)), elements=SCORES))
def test_row_by_row_reads_as_the_arrays_do(actions):
    weights, stop, arm = decode_action(actions)
    scores = np.empty(actions.shape[1] - 1)
    for row in range(len(actions)):
        assert row_is_valid(actions, row)
        assert read_row(actions, row, scores) == (stop[row], arm[row])
        np.testing.assert_allclose(scores / scores.sum(), weights[row], rtol=1e-12)


@given(
    arrays(np.float32, (2, 4), elements=SCORES),
    st.integers(0, 1),
    st.integers(0, 3),
    st.sampled_from([np.nan, np.inf, -np.inf, -1e-3, 1.001, 2, np.float32(-1.1e-6), np.float32(1 + 1.2e-6)]),
)
def test_bad_scores_are_refused_with_their_place(actions, row, column, bad):
    actions[row, column] = bad
    assert not row_is_valid(actions, row)
    assert row_is_valid(actions, 1 - row)
    with pytest.raises(ValueError, match=rf"action\[{row}, {column}\] is .*; expected a number in \[0, 1\]"):
        decode_action(actions)


def test_check_arms():
    check_arms(np.array([0, 2]), 3)
    with pytest.raises(ValueError, match=r"action\[1\] is 3; expected an arm, 0 to 2"):
        check_arms(np.array([0, 3]), 3)
    with pytest.raises(ValueError, match="action is -1; expected an arm, 0 to 2"):
        check_arms(np.array(-1), 3)


def test_importing_the_layout_is_light():
    """Agents import it; they must not load Numba or Gymnasium's environments for that."""
    code = "import sys, bandit_env.world.action, bandit_env.world.task; print({'numba', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
