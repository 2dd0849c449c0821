"""bandit_env, 200 experiments side by side, weights exact."""

from bandit_env.experiment import run

WORLD = {"rates": [0.5, 0.6], "visits_per_day": 1, "min_days": 0, "max_days": 1000}


def work():
    run(WORLD, ["thompson"], 200, executor=1, traces=0)
    return 200_000, None
