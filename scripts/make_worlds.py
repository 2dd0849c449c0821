"""Write docs/worlds.md and its figure from finished runs of configs/worlds.toml.

bandit-env run configs/worlds.toml --out runs/worlds --no-figures
python scripts/make_worlds.py runs/worlds

`--resume` goes on with a run that was cut short. Cells may lie in several folders: of a cell that two have, the one
with more replications counts, and the page says which have fewer than the others.
"""

import argparse
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from make_error_rates import mean, share, table
from make_figures import small

from bandit_env.experiment.results import Cell, read
from bandit_env.views import canvas, figures

DOCS = Path(__file__).parents[1] / "docs"
WORLDS = {  # what moves
    "plain": "nothing moves",
    "weekend": "visits × 1.2 on weekdays and × 0.5 at weekends, rates too; the day's visits are Poisson",
    "trend": "all rates fall in a line, to a half by the last day of the experiment",
    "step down": "all rates × 0.6 from day 10 on: a season ends",
    "step up": "all rates × 1.6 from day 10 on: a season begins",
    "novelty": "arm 1 is the worse one (4 % against the control's 5 %), and new: its odds × 1.5 at first, half of that "
    "excess gone every 7 days",
    "unequal delay": "a conversion comes 0.25 days after its visit on the control, 4 days on variations, on average",
    "day shocks": "good and bad days, the same for all arms: N(0, 0.3²) on the log odds, anew each day",
    "walk": "every arm's log odds wander by themselves, N(0, 0.05²) a day",
    "joins in a fall": "arm 1, the best, joins on day 7, on which all rates fall to × 0.6",
}
ARMS = ("two", "six")
Cells = dict[tuple[str, str, bool, str], Cell]  # by world, number of arms in words, equal, and agent

ABOUT = """\
# What does real traffic do to the methods?

Weekends, a season that ends, a novelty that wears off, conversions that come late, an arm that joins: ten worlds,
{agents} agents, two arms and six. Each combination is played {replications:,} times{fewer} with one arm that is
better than the others, and as often with equal arms, on which every claim of a difference is false.

![Which methods lose how much in which world](figures/worlds.png)

What is blank there, or has no row below, has not been played.

**The experiment.** {visits} visits a day per arm, five weeks at most, the first look at the end of day {first}; two
arms of 4 and 5 %, six of 4, 5, 4.5, 3, 2 and 3.5 %, equal ones of 4 %. *Loss*: conversions lost in ten weeks against
the best arm of each day, those of the arm shipped included; an experiment that has not ended by day {last} ships the
arm with the largest observed rate, so that rules that never end are charged as well. *Until the stop*: the part of it
that is lost before something is shipped. The other words are those of the [glossary](glossary.md).

**The agents.** Those written without a rule end by *value remaining*: less than 1 % is left to gain with probability
95 %; it claims nothing. Presets of platforms have their documented rules; `growthbook`, `amplitude` and `learned`
have none. `learned` was trained for 100 visits a day and 60 days: all of this is new to it. `delay-corrected` is
played where there are delays, and knows them.

| world | what moves |
| --- | --- |
{worlds}

## What to take from it

{lessons}

## The command

<!-- not run: an hour -->
```bash
bandit-env run configs/worlds.toml --out runs/worlds --no-figures   # an hour on one core; --resume goes on
python scripts/make_worlds.py runs/worlds
```

The seed is {seed}. A world, or an agent, of your own is one table more in a copy of `configs/worlds.toml`.

## All figures

Shares in %, with 95 % intervals (Wilson's); ± is the half of a 95 % interval. *Wrong*: claims an arm that is not the
best. ≥: the horizon cut some. On the right, the same world with equal rates: of equal *arms* every claim is false;
where an effect moves some arms alone they are equal in their *base rates* only, and a claim may be true on the day.
"""


def main() -> None:
    """Write the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders that `bandit-env run configs/worlds.toml` wrote")
    parser.add_argument("--out", type=Path, default=DOCS)
    options = parser.parse_args()
    cells, seed = gather(options.runs)
    lacking = [f"{world}, {arms} arms" for world in WORLDS for arms in ARMS if not agents_of(cells, world, arms)]
    if lacking:
        parser.error(f"the runs lack {', '.join(lacking)}")
    page = [about(cells, seed)]
    for arms in ARMS:
        page += [section(cells, world, arms) for world in WORLDS]
    (options.out / "worlds.md").write_text("\n".join(page), encoding="utf-8")
    (options.out / "figures").mkdir(exist_ok=True)
    (options.out / "figures" / "worlds.png").write_bytes(small(figures.render(draw(cells), "png", dpi=110)))


def gather(folders: list[Path]) -> tuple[Cells, int]:
    """The finished cells of all folders, and their seed."""
    cells: Cells = {}
    for folder in folders:
        run = read(folder)
        for cell in run.cells:
            world, arms = re.split(r", (?=two|six)", cell.scenario.split(" arms")[0])
            agent = re.sub(r", (two|six) arms$", "", cell.agent)
            key = world, arms, cell.world.equal_base_rates, agent
            if key not in cells or cell.replications > cells[key].replications:
                cells[key] = cell
    return cells, run.config["seed"]


def agents_of(cells: Cells, world: str, arms: str) -> list[str]:
    """The agents that have played a world, with a better arm and with equal ones."""
    return [key[3] for key in cells if key[:3] == (world, arms, False) and (world, arms, True, key[3]) in cells]


def about(cells: Cells, seed: int) -> str:
    """The page's beginning."""
    task = cells["plain", "two", False, "thompson"].task
    most = max(cell.replications for cell in cells.values())
    return ABOUT.format(
        agents=len({key[3] for key in cells}),
        replications=most,
        fewer=fewer(cells, most),
        visits=task.visits_per_day // 2,
        first=f"{task.min_days:g}",
        last=f"{task.max_days:g}",
        worlds="\n".join(f"| {world} | {what} |" for world, what in WORLDS.items()),
        seed=seed,
        lessons=lessons(cells),
    )


def fewer(cells: Cells, most: int) -> str:
    """Which cells have fewer replications than the others, worlds as a whole where all of theirs do."""
    said: dict[str, None] = {}
    for world in WORLDS:
        for arms in ARMS:
            counts = {key[3]: cell.replications for key, cell in cells.items() if key[:2] == (world, arms)}
            few = {agent: count for agent, count in counts.items() if count < most}
            if len(few) > len(counts) / 2:
                common = max(few.values())
                said[f"{world}, {arms} arms: {common:,}"] = None
                few = {agent: count for agent, count in few.items() if count != common}
            said |= dict.fromkeys(f"`{agent}` with {arms} arms: {count:,}" for agent, count in few.items())
    return f" (but {'; '.join(said)})" if said else ""


def lessons(cells: Cells) -> str:
    """What a practitioner should take from it, with the figures it rests on."""

    def lost(world: str, agent: str, arms: str = "two", column: str = "loss") -> str:
        return f"{cells[world, arms, False, agent].columns([column])[column].mean():,.0f}"

    def claims(world: str, agent: str) -> str:
        return f"{100 * cells[world, 'two', True, agent].columns(['claimed_winner'])['claimed_winner'].mean():.0f} %"

    common = [world for world in WORLDS if cells[world, "two", True, "thompson"].equal_arms and "delay" not in world]
    level = {
        agent: max((claims(world, agent) for world in common), key=lambda text: float(text[:-2]))
        for agent in ("uniform, e-process", "log-odds-thompson, e-process")
    }
    classical, sprt, window = "uniform, classical test", "uniform, mixture SPRT", "thompson, window"
    log_odds = "log-odds-thompson"
    said = f"""
**Conversions that come later on some arms cost most, and only a correction helps.** What converts late looks worse
than it is: with the counts so far, Thompson sampling loses {lost("unequal delay", "thompson")} conversions on two
arms, where nothing moves {lost("plain", "thompson")}; told the delays,
{lost("unequal delay", "thompson, delay-corrected")}. Tests are no safer: on equal arms the classical one claims a
difference in {claims("unequal delay", classical)} of all experiments, the e-process in
{claims("unequal delay", "uniform, e-process")}. Count a visit when its conversion had time to arrive.

**A season that all arms share turns adaptive traffic's own totals against it** (Simpson's paradox): whoever is served
more while all rates are high looks better. Where all rates step up, P(best) ≥ 95 % on Thompson's traffic
(`statsig-autotune`) claims a difference between equal arms in {claims("step up", "statsig-autotune")} of all
experiments, on shared good and bad days in {claims("day shocks", "statsig-autotune")}, where nothing moves in
{claims("plain", "statsig-autotune")}. Where rates fall the better arm is doubted, and fewer experiments end. Under
equal traffic none of this happens: where all rates step up the classical test stays at
{claims("step up", classical)}, the mixture SPRT at {claims("step up", sprt)}.

**Right weights do not make right totals.** `log-odds-thompson` compares arms within days alone and keeps its traffic
on the better one through the step down: {lost("step down", log_odds, column="regret")} conversions lost until the
stop, Thompson {lost("step down", "thompson", column="regret")}. But who then ships the arm with the largest observed
rate, pooled over days, often ships the wrong one: {lost("step down", log_odds)} in all. Thompson loses
{lost("step down", "thompson")}: it believes the totals as well, doubts the better arm, and so serves both until the
totals are right again. Ship what is served most, or what is compared within days.

**A claim that survives** is the e-process: in the worlds that move equal arms alike, without delays, it claims a
difference in at most {level["uniform, e-process"]} of the experiments, and in at most
{level["log-odds-thompson, e-process"]} under weights that follow the data. Where an arm joins as rates fall the
classical test does so in {claims("joins in a fall", classical)}, the mixture SPRT in
{claims("joins in a fall", sprt)}. The price: under adaptive traffic it seldom names an arm within five weeks. To
learn which arm is better, serve equally; to earn, do not wait for a claim.

**Novelty fools everyone who looks early.** The rule that looks once, in the fourth week, loses
{lost("novelty", classical)}; Thompson, which has long made up its mind, {lost("novelty", "thompson")}. A least
duration of some half-lives costs less than the wrong page.

**Forgetting needs a floor.** With two arms a window or a discount costs little. With six, Thompson with a window of
14 days loses {lost("plain", window, "six")} where nothing moves, with all counts {lost("plain", "thompson", "six")}:
an arm that has left the window is at the prior, which expects 50 %, and is served, or shipped, for nothing. A prior
of such rates, Beta(4, 96), brings it to 155, a floor of 2 % to 211 (500 experiments of each, not in the table).
Averages over days suffer from the few visits of starved arms: `period-weighted` loses
{lost("plain", "period-weighted", "six")}, with a floor of 2 % 282; `growthbook`, which has one of 1 %,
{lost("plain", "growthbook", "six")}.

**Weekends alone matter little.** With two arms Thompson loses {lost("weekend", "thompson")} there, the classical test
{lost("weekend", classical)}; where nothing moves {lost("plain", "thompson")} and {lost("plain", classical)}, with six
arms {lost("plain", "thompson", "six")} and {lost("plain", classical, "six")}.
"""
    items = [textwrap.wrap(f"{n}. {' '.join(item.split())}", 118) for n, item in enumerate(said.split("\n\n"), 1)]
    return "\n".join(line if line[:2] == f"{n}." else f"   {line}" for n, item in enumerate(items, 1) for line in item)


def section(cells: Cells, world: str, arms: str) -> str:
    """One world's table."""
    equal = cells[world, arms, True, "uniform, classical test"]
    kind = "equal arms" if equal.equal_arms else "equal base rates"
    heads = ["agent", "loss", "until the stop", "correct", "wrong", "days", "undecided"]
    heads += [f"{kind}: claims a difference", "ships a variation", "undecided"]
    rows = []
    for agent in agents_of(cells, world, arms):
        better, same = (cells[world, arms, equal, agent].episodes for equal in (False, True))
        cut = "≥ " if (better.declared_arm < 0).any() else ""
        rows.append(
            [
                agent,
                mean(better.loss),
                mean(better.regret),
                share(better.correct),
                share(better.claimed_winner & ~better.correct),
                cut + mean(better.stopping_day),
                share(better.declared_arm < 0),
                *map(share, (same.claimed_winner, same.declared_arm > 0, same.declared_arm < 0)),
            ]
        )
    return f"### {world[0].upper()}{world[1:]}, {arms} arms\n\n{table(heads, rows)}"


def draw(cells: Cells) -> Any:
    """Worlds x agents: losses as multiples of the world's least, two arms and six, and claims on equal arms."""
    from matplotlib.figure import Figure

    agents = list(dict.fromkeys(key[3] for key in cells))
    panels: list[tuple[str, np.ndarray, float]] = []
    for arms in ARMS:
        loss = grid(cells, arms, False, agents, lambda cell: float(cell.columns(["loss"])["loss"].mean()))
        panels.append(
            (f"{arms} arms: conversions lost,\nas a multiple of the world's best", loss / np.nanmin(loss, 0), 8)
        )
    false = grid(cells, "two", True, agents, lambda cell: 100 * float(cell.columns(["claimed_winner"]).mean().iloc[0]))
    panels.append(("two arms of equal base rates:\nclaims a difference, %", false, 60))
    with canvas.style():
        figure = Figure(figsize=(13, 6.4), layout="constrained")
        figure.suptitle("What each world does to each method (darker is worse)", color=canvas.INK, fontsize=12)
        for axes, (title, values, worst) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
            shade = np.log(values) / np.log(worst) if "multiple" in title else np.sqrt(values / worst)
            axes.imshow(shade, cmap="OrRd", vmin=0, vmax=1.15, aspect="auto")
            for (row, column), value in np.ndenumerate(values):
                if not np.isnan(value):
                    text = f"{value:.0f}" if value >= 9.95 or "%" in title else f"{value:.1f}"
                    dark = shade[row, column] > 0.75
                    axes.text(column, row, text, ha="center", va="center", fontsize=7, color="w" if dark else "k")
            axes.set_title(title, fontsize=9, color=canvas.INK)
            axes.set_xticks(range(len(WORLDS)), list(WORLDS), rotation=50, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(len(agents)), agents)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
    return figure


def grid(cells: Cells, arms: str, equal: bool, agents: list[str], value: Any) -> np.ndarray:
    """A value of each agent in each world, shape (agents, worlds); NaN where it has not played."""
    found = np.full((len(agents), len(WORLDS)), np.nan)
    for column, world in enumerate(WORLDS):
        for row, agent in enumerate(agents):
            if (key := (world, arms, equal, agent)) in cells:
                found[row, column] = value(cells[key])
    return found


if __name__ == "__main__":
    main()
