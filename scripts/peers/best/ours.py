"""bandit_env, quadrature to 1e-10."""

from bandit_env.stats.posterior import probability_best

# two quadratures in 30 digits, which agree
EXACT = [0.0839175251, 0.6323484927, 0.2622339374, 0.0026373305, 6.5964e-6, 0.0188561177]


def work():
    for _ in range(2000):
        found = probability_best([40, 50, 45, 30, 20, 35], [1000] * 6)
    return 2000, max(abs(a - b) for a, b in zip(found, EXACT))
