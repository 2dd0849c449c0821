"""The experiment file (TOML), checked and resolved into cells to be played.

name = "ab_test"                 # default: the file's name
replications = 500
seed = 2013
traces = 1                       # experiments recorded update by update; 1: a typical one
estimates = ["credible"]         # default: none; or under a scenario; see bandit_env/experiment/estimates/methods.py
least_weight = 0.001             # the smallest weight that the method "aipw" may meet; 0: any

[scenario]                       # or several: [[scenarios]], each with a name
rates = [0.04, 0.05]             # keyword arguments of the environment; `prior`, here or of an agent, may be
                                 # {history = "past.csv"}: fitted to its experiment, arm, visits, conversions
visits_per_day = 100

[classical]                      # what savings are measured against; or under a scenario
visits = 22330                   # default: K ceil(n), the sample size of the power calculation
days = 223                       # default: the days that takes

[[agents]]
name = "thompson"                # as `bandit-env agents` lists them, or "package.module:Class"
label = "Thompson"               # default: the name
stopping = "value-remaining"     # any other key: an argument of the agent
scenarios = ["..."]              # the scenarios that it plays, by name; default: all
sweep = { gamma = [0.5, 1.0] }   # one agent (or scenario) for each combination of the lists

[published.Thompson]             # printed beside our results: another source's figures, by agent's label
days_saved = "175"
rates = [0.04, 0.05]             # which they are for: shown only where a scenario has them

A fixed test without a plan (`uniform-classical`, the rule `fixed-sample`, `[classical]`) has that of its scenario: the
control's rate as the baseline, the best other as the target. Equal or drawn rates give none: then it must be written.
"""

from bandit_env.experiment.config.experiment import Experiment, load, resolve
from bandit_env.experiment.config.names import slug

__all__ = ["Experiment", "load", "resolve", "slug"]
