"""The runner: plays thousands of experiments, and reports what came of them."""
