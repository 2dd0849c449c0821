"""Daily-traffic experiments on Bernoulli arms, as Gymnasium environments.

Importing registers the ids; nothing heavy is loaded before an environment is made.
"""

import gymnasium

__version__ = "0.2.0"

for _name, _module in (
    ("DailyTraffic", "daily_traffic"),
    ("BernoulliBandit", "bernoulli_bandit"),
    ("LearnDaily", "learn_daily"),
    ("LearnDailyMenu", "learn_daily"),
    ("LearnPerVisit", "learn_per_visit"),
):
    gymnasium.register(
        id=f"bandit_env/{_name}-v0",
        entry_point=f"bandit_env.envs.{_module}:{_name}Env",
        vector_entry_point=f"bandit_env.envs.{_module}:{_name}VectorEnv",
    )
