"""The public facts: which arms are there on which day."""

import dataclasses
import json

import pytest

from bandit_env.world.task import Task


def test_arms_are_there_from_the_day_they_join_until_the_day_they_leave():
    task = Task(3, 100, updates_per_day=2, joins=(0, 2, 0), leaves=(None, None, 3))
    assert task.available([0, 1.5, 2, 2.5, 3]).tolist() == [
        [True, False, True],
        [True, False, True],
        [True, True, True],
        [True, True, True],
        [True, True, False],
    ]
    assert task.changes_arms


def test_all_arms_are_there_where_none_joins_or_leaves():
    assert Task(2, 100).available([0, 5]).all()
    assert not Task(2, 100).changes_arms
    assert Task(2, 100, joins=(0, 4)).available([3]).tolist() == [[True, False]]
    assert Task(2, 100, leaves=(4, None)).available([4]).tolist() == [[False, True]]


def test_it_survives_json():
    task = Task(2, 100, joins=(0, 4), leaves=(9, None))
    assert Task(**json.loads(json.dumps(dataclasses.asdict(task)))) == task


def test_a_day_for_each_arm_is_expected():
    with pytest.raises(ValueError, match="joins has 1 days; expected one for each of the 2 arms"):
        Task(2, 100, joins=(3,))
