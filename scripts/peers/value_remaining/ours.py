"""bandit_env, quadrature."""

from bandit_env.stats.posterior import potential_value_remaining

EXACT = 0.2742548  # two quadratures in 30 digits, which agree


def work():
    for _ in range(200):
        found = potential_value_remaining([40, 50, 45, 30, 20, 35], [1000] * 6)
    return 200, abs(float(found) - EXACT)
