"""bandit_env, 2,000 experiments side by side, exact."""

from bandit_env.experiment import run

AGENT = {"name": "thompson", "stopping": "value-remaining"}


def work():
    rows = run({"rates": [0.04, 0.05]}, [AGENT], 2000, executor=1, traces=0).cells[0].episodes
    return int(rows["visits"].sum()), None
