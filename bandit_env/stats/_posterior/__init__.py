"""The integrals behind `bandit_env.stats.posterior`: how they are found, arm by arm and row by row."""
