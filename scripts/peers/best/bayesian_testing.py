# /// script
# dependencies = ["bayesian-testing"]
# ///
"""bayesian-testing, its default of 20,000 draws."""

from bayesian_testing.experiments import BinaryDataTest

EXACT = [0.0839175251, 0.6323484927, 0.2622339374, 0.0026373305, 6.5964e-6, 0.0188561177]
test = BinaryDataTest()
for arm, conversions in enumerate([40, 50, 45, 30, 20, 35]):
    test.add_variant_data_agg(str(arm), 1000, conversions, a_prior=1, b_prior=1)


def work():
    for _ in range(50):
        found = [variant["prob_being_best"] for variant in test.evaluate()]
    return 50, max(abs(a - b) for a, b in zip(found, EXACT))
