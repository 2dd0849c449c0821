"""bandit_env, one experiment alone, weights exact."""

from bandit_env.experiment import run

WORLD = {"rates": [0.5, 0.6], "visits_per_day": 1, "min_days": 0, "max_days": 5000}


def work():
    run(WORLD, ["thompson"], 1, executor=1, traces=0)
    return 5000, None
