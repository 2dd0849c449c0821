"""The plan of a fixed test, from the scenario where the file does not say; and figures that belong to other rates."""

import tomllib
from pathlib import Path

import pytest

from bandit_env import cli
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config
from bandit_env.stats.power import sample_size

CONFIGS = Path(__file__).parents[2] / "configs"
UNIFORM = {"name": "uniform", "stopping": "fixed-sample"}
WORLD = {"rates": [0.04, 0.05, 0.06], "visits_per_day": 100}


def resolve(scenario, *agents, **keys):
    return config.resolve({"name": "test", "scenario": scenario, "agents": list(agents), **keys})


def described(scenario, agent):
    """The arguments of an agent as the files describe them, and as it is built."""
    experiment = resolve(scenario, agent)
    told = experiment.about[0]["parameters"]["agent"]
    assert experiment.cells[0].build_agent().parameters.items() <= told.items()
    return told


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        ({}, (0.04, 0.06)),  # the control, and the best other
        ({"baseline": 0.03}, (0.03, 0.06)),
        ({"target": 0.05}, (0.04, 0.05)),
        ({"baseline": 0.1, "target": 0.2}, (0.1, 0.2)),
    ],
)
def test_a_fixed_test_has_the_plan_of_its_scenario(given, plan):
    own = described(WORLD, {"name": "uniform-classical", **given})
    assert (own["baseline"], own["target"]) == plan
    fixed = {"rule": "fixed-sample", **given}
    for stopping in (fixed, {"any": ["value-remaining", fixed]}):
        rule = described(WORLD, {"name": "thompson", "stopping": stopping})["stopping"]
        rule = rule["any"][1] if "any" in rule else rule
        assert (rule["baseline"], rule["target"]) == plan
    by_name = described(WORLD, UNIFORM)["stopping"]
    assert (by_name["baseline"], by_name["target"]) == (0.04, 0.06)


def test_each_scenario_gives_a_plan_of_its_own():
    worlds = [{"name": f"to {rate}", "rates": [0.5, rate], "visits_per_day": 100} for rate in (0.6, 0.7, 0.2)]
    experiment = config.resolve({"name": "t", "scenarios": worlds, "agents": [{"name": "uniform-classical"}]})
    plans = [plan.build_agent().stopping for plan in experiment.cells]
    assert [(rule.baseline, rule.target) for rule in plans] == [(0.5, 0.6), (0.5, 0.7), (0.5, 0.2)]


@pytest.mark.parametrize(
    "world",
    [
        {"rates": [0.04, 0.04], "visits_per_day": 100},
        {"rates": [0.04, 0.03, 0.04], "visits_per_day": 100},
        {"prior": [4, 96], "num_arms": 2, "visits_per_day": 100},
    ],
)
def test_equal_and_drawn_rates_give_no_plan_and_the_message_says_so(world):
    for agent in ({"name": "uniform-classical"}, UNIFORM):
        with pytest.raises(ExperimentError, match="no plan: expected either baseline and target, or"):
            resolve(world, agent)
    with pytest.raises(ExperimentError, match="scenario: no classical test can be worked out"):
        resolve(world, {"name": "uniform"}, classical={})
    resolve(world, {"name": "uniform-classical", "baseline": 0.04, "target": 0.05})
    test = resolve(world, {"name": "uniform"}, classical={"baseline": 0.04, "target": 0.05}).about[0]["classical"]
    arms = len(world.get("rates", "ab"))
    assert test["visits"] == arms * -(-sample_size(0.04, 0.05, comparisons=arms - 1) // 1)


def test_the_classical_table_has_the_plan_of_its_scenario():
    test = resolve(WORLD, {"name": "uniform"}, classical={}).about[0]["classical"]
    visits = 3 * -(-sample_size(0.04, 0.06, comparisons=2) // 1)
    assert test == {"visits": visits, "days": -(-visits // 100)}


def changed(name, tmp_path, **scenario):
    """A copy of a shipped file with other keys in its scenario."""
    lines = (CONFIGS / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("[scenario]")
    for key, value in scenario.items():
        place = next(i for i in range(start, len(lines)) if lines[i].startswith(f"{key} ="))
        lines[place] = f"{key} = {value}"
    path = tmp_path / f"{name}.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["ab_test", "ab_test_reversed", "six_arms", "aa_test", "error_rates"])
def test_nothing_is_doubtful_about_the_shipped_files(name):
    path = CONFIGS / f"{name}.toml"
    experiment = config.load(path)
    assert not [remark for remark in experiment.remarks if not remark.startswith("agent")]
    published = tomllib.loads(path.read_text(encoding="utf-8")).get("published", {})
    assert experiment.config["published"].keys() == published.keys()
    assert all("rates" not in figures for figures in experiment.config["published"].values())


def test_other_rates_in_a_copy_do_not_keep_the_article_s_test_and_figures_unsaid(tmp_path, capsys):
    path = changed("ab_test", tmp_path, rates=[0.04, 0.06])
    experiment = config.load(path)
    needed = 2 * -(-sample_size(0.04, 0.06) // 1)
    assert experiment.remarks[:3] == [
        f"scenario 'ab_test': classical.visits is 22,330, but its rates at power 0.95 take {needed:,.0f}; left out, "
        "they are worked out",
        "published.thompson is for rates [0.04, 0.05], which no scenario has: it is not shown",
        "published.uniform-classical is for rates [0.04, 0.05], which no scenario has: it is not shown",
    ]
    assert experiment.config["published"] == {}
    assert cli.main(["run", str(path), "--replications", "2", "--no-figures", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr()
    assert "classical.visits is 22,330" in " ".join(said.err.split())
    assert "96.4 %" not in said.out


def test_other_traffic_in_a_copy_does_not_keep_the_article_s_days_unsaid(tmp_path):
    remarks = config.load(changed("ab_test", tmp_path, visits_per_day=200)).remarks
    assert remarks == [
        "scenario 'ab_test': classical.days is 223, but 22,330 visits at 200 a day take 112; left out, they are "
        "worked out"
    ]
