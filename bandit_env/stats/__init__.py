"""Statistics of Bernoulli arms: exact posterior quantities, classical power and test, learner's features."""
