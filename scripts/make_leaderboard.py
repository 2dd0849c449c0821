"""Plays the leaderboard's suite and writes its rows and its page: `python scripts/make_leaderboard.py [--out DIR]`.

Writes configs/leaderboard.parquet, which ships with the package, and docs/leaderboard.md. Some ten minutes on one
core; with --out a run that was cut short goes on. With --agents only these are played, as when one is new or has
changed (--check tells which): seconds.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bandit_env.desk import leaderboard
from bandit_env.desk.leaderboard import rows, show
from bandit_env.experiment import config
from bandit_env.experiment.config import text
from bandit_env.experiment.sweep import choose_engine, execute
from bandit_env.views.watch import ProgressBar

ROOT = Path(__file__).parents[1]
PAGE = """\
# Leaderboard

<!-- made by: python scripts/make_leaderboard.py -->

What each built-in agent loses to the horizon, in conversions, on ten fixed tasks
([configs/leaderboard.toml](../configs/leaderboard.toml) has all settings), in {replications:,} replications with seed
{seed}. Agents without a stopping rule run to the horizon. All agents meet the same rates and the same visitors,
replication by replication, so that they are compared by paired differences: *behind the first* is their mean. An
agent's rank is 1, and one for every agent that loses less by a difference whose 95 % interval does not hold 0; the
intervals are not corrected for the number of pairs. Where arms are equal nothing can be lost and nobody has a rank:
there the *claims* count, the share of experiments that claim a winner, with Wilson's 95 % interval. [The
glossary](glossary.md) has the words.

Tasks called "visits" are of 100 single visits, with rates drawn uniformly from [0, 1]; all others are of 180 days of
100 visits. Some agents play part of the tasks: `bayes-optimal` is tabulated for two arms, the Gittins indices for
single visits, each of the two learned policies for the traffic it was trained on; rules of stopping and platforms'
presets are for days. The agent `sb3` has no policy of its own and is not here. Knobs are the defaults, untuned, but
for the gamma of `tempered-thompson` (2, since 1 is `thompson`), and the classical test has a plan that can end in time
(power 80 %).

## Your own agent

It plays alone, with the same seeds, against the rows that are kept here; `--scenarios "days, 2 arms" weekends` plays
part of the tasks, `--replications 200` the first of them:

```bash
bandit-env run leaderboard --agent my_module:MyAgent
```

## All ranks

{standings}"""


def play(agents: list[str] | None, replications: int | None, workers: int | None, out: Path | None) -> pd.DataFrame:
    """The rows of the suite's agents; those that are not asked for are taken from what is kept."""
    path = ROOT / "configs" / f"{leaderboard.SUITE}.toml"
    chosen = [a for a in text.read(path)["agents"] if not agents or a.get("label", a["name"]) in agents]
    suite = config.load(path, replications=replications, agents=chosen)
    resume = out is not None and out.exists()
    with ProgressBar() as bar:
        run = execute(suite, engine=choose_engine(workers), out=out, resume=resume, watcher=bar)
    assert not run.failures, run.failures
    return joined(leaderboard.stored_rows(), leaderboard.rows_of(run)) if agents else leaderboard.rows_of(run)


def changed(workers: int | None) -> list[str]:
    """The agents whose rows are no longer what is kept, as after a change to them: these are to be played anew."""
    kept = leaderboard.stored_rows()
    now = play(None, 10, workers, None)
    keys = ["scenario", "agent", "replication"]
    both = now.merge(kept, on=keys, how="left", suffixes=("", "_kept"))
    same = np.isclose(both["loss"], both["loss_kept"], rtol=1e-5) & (both["claimed"] == both["claimed_kept"])
    return sorted(set(both["agent"][~same]))


def joined(kept: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """What is kept, with new rows of some agents in place of theirs."""
    assert kept.attrs["seed"] == new.attrs["seed"]
    both = pd.concat([kept[~kept["agent"].isin(set(new["agent"]))], new], ignore_index=True)
    both = both.astype({"scenario": "category", "agent": "category"})
    both.attrs = {"seed": new.attrs["seed"], "scenarios": kept.attrs["scenarios"] | new.attrs["scenarios"]}
    return both.sort_values(["scenario", "agent", "replication"], key=lambda column: _places(column, kept))


def _places(column: "pd.Series[Any]", kept: pd.DataFrame) -> "pd.Series[Any]":
    """Scenarios in the order in which they were kept; the rest sorts as it is."""
    if column.name != "scenario":
        return column
    order = {name: place for place, name in enumerate(kept.attrs["scenarios"])}
    return column.astype(object).map(order)


def main() -> None:
    """Play, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--agents", nargs="+", metavar="LABEL", help="play these alone, and keep the rows of the others"
    )
    parser.add_argument("--replications", type=int, help="in place of the file's; for a try")
    parser.add_argument("--workers", type=int, help="processes")
    parser.add_argument("--out", type=Path, help="folder for the run, which goes on where it was cut short")
    parser.add_argument("--check", action="store_true", help="only say whose first 10 replications are not as kept")
    options = parser.parse_args()
    if options.check:
        print(*changed(options.workers), sep="\n")
        return
    kept = play(options.agents, options.replications, options.workers, options.out)
    leaderboard.write_rows(kept, ROOT / "configs" / rows.FILE)
    page = PAGE.format(
        replications=kept["replication"].nunique(),
        seed=kept.attrs["seed"],
        standings=show.markdown(leaderboard.standings(kept)),
    )
    (ROOT / "docs" / "leaderboard.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
