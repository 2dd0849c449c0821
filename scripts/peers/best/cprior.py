# /// script
# dependencies = ["cprior", "numpy", "scipy", "mpmath"]
# ///
"""cprior, quadrature."""

from cprior.models.bernoulli import BernoulliModel, BernoulliMVTest

EXACT = [0.0839175251, 0.6323484927, 0.2622339374, 0.0026373305, 6.5964e-6, 0.0188561177]
counts = dict(zip("ABCDEF", [40, 50, 45, 30, 20, 35]))
test = BernoulliMVTest({k: BernoulliModel(name=k, alpha=1 + c, beta=1001 - c) for k, c in counts.items()})


def work():
    for _ in range(10):
        found = [test.probability_vs_all(variant=k, method="quad") for k in counts]
    return 10, max(abs(a - b) for a, b in zip(found, EXACT))
