"""Generated experiment files, valid and broken, through the command line; generated actions through the runner.

Every file either runs or ends in one message with exit status 2: no traceback, no hang, nothing left behind.
"""

import copy
import datetime
import json
import math
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from odd_agents import Scores

from bandit_env import cli
from bandit_env.experiment import config, results, run
from bandit_env.experiment.estimates.methods import QUANTITIES
from bandit_env.world.scenario import Scenario

SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
RATES = st.lists(st.floats(0, 1), min_size=2, max_size=4)
PRIOR = st.lists(st.floats(0.1, 100), min_size=2, max_size=2)
NAMES = st.sampled_from(["a", "b b", "../up", "ü/ö", "figures", "config.json", "x" * 300, "nul", "A", ".", "-"])


@st.composite
def scenarios(draw):
    world = draw(st.sampled_from(["rates", "prior", "priors"]))
    if world == "rates":
        table = {"rates": draw(RATES)}
    elif world == "prior":
        table = {"prior": draw(PRIOR), "num_arms": draw(st.integers(2, 4))}
    else:
        table = {"prior": draw(st.lists(PRIOR, min_size=2, max_size=3))}
    table["max_days"] = draw(st.integers(1, 4))
    table["min_days"] = draw(st.integers(0, table["max_days"]))
    optional = {
        "visits_per_day": st.sampled_from([1, 2, 100, 10**8]),
        "updates_per_day": st.integers(1, 3),
        "split": st.sampled_from(["multinomial", "proportional"]),
        "reward": st.sampled_from(["conversions", "regret"]),
        "cost_per_day": st.floats(-10, 10),
        "sweep": st.just({"visits_per_day": [1, 3]}),
    }
    num_arms = table.get("num_arms", len(table.get("rates", table.get("prior"))))
    if draw(st.booleans()):
        optional |= moving(num_arms, table["max_days"])
    return table | draw(st.fixed_dictionaries({}, optional=optional))


def moving(num_arms, max_days):
    """Optional keys of worlds that move, all valid: factors of rates do not exceed 1."""
    arm = st.sampled_from([0, [num_arms - 1], list(range(num_arms))])
    share = st.floats(0, 1)
    some = {"arm": arm}
    scaled = some | {"scale": st.sampled_from(["rate", "odds"])}

    def effect(name, optional, **keys):
        return st.fixed_dictionaries({"effect": st.just(name), **keys}, optional=optional)

    effects = st.one_of(
        effect("weekday", scaled, factors=st.lists(share, min_size=7, max_size=7).filter(any)),
        effect("step", scaled, day=st.integers(0, 5), factor=share),
        effect("trend", scaled | {"from": share}, to=share),
        effect("novelty", scaled, factor=share, half_life=st.floats(0.1, 100)),
        effect("step", some, scale=st.just("odds"), day=st.integers(0, 5), factor=st.floats(0, 1e6)),
        effect("switch", {}, day=st.integers(0, 5), rates=st.lists(share, min_size=num_arms, max_size=num_arms)),
        effect("day-shock", some, sd=st.floats(0, 3)),
        effect("walk", some, sd=st.floats(0, 3)),
    )
    counts = st.lists(st.integers(0, 50), min_size=num_arms, max_size=num_arms)
    return {
        "loss_days": st.integers(max_days, max_days + 3),
        "traffic": st.sampled_from(["fixed", "poisson", {"model": "negative-binomial", "size": 0.5}]),
        "weekday_traffic": st.lists(st.floats(0, 3), min_size=7, max_size=7).filter(any),
        "effects": st.lists(effects, max_size=4),
        "delay": st.one_of(st.floats(0, 10), st.lists(st.floats(0, 10), min_size=num_arms, max_size=num_arms)),
        "joins": st.lists(st.integers(0, max_days - 1), min_size=num_arms - 1, max_size=num_arms - 1).map(
            lambda d: [0, *d]
        ),
        "leaves": st.just([math.inf] * (num_arms - 1) + [max_days]),
        "start": st.builds(
            lambda c, day: {"visits": [2 * n for n in c], "conversions": c, "day": day},
            counts,
            st.integers(0, max_days),
        ),
    }


RULES = st.sampled_from(
    [
        "value-remaining",
        "beats-control | value-remaining",
        "probability-best & value-remaining",
        {"rule": "value-remaining", "threshold": 0.5},
        {"any": ["mixture-sprt", {"rule": "after", "days": 2}]},
        {"all": ["expected-loss", "after"]},
        {"rule": "fixed-sample", "visits_per_arm": 3.5},
        {"rule": "e-process", "adjust": "e-bh"},
    ]
)
MEMORIES = st.sampled_from(
    [
        "all",
        "period-weighted",
        {"memory": "discounted", "factor": 0.5},
        {"memory": "window", "days": 1},
        {"memory": "delay-corrected", "mean_days": 0.25},
    ]
)
SCHEDULE = {
    "warm_up_days": st.sampled_from([0, 0.5, 1, 3]),
    "every_days": st.sampled_from([0, 0.5, 1, 7]),
    "floor": st.sampled_from([0.0, 0.01, 0.25]),  # of at most four arms
}
WITH_MEMORY = SCHEDULE | {"memory": MEMORIES, "stopping": RULES}


def agent(name, optional=WITH_MEMORY, **keys):
    return st.fixed_dictionaries({"name": st.just(name), **keys}, optional=optional)


AGENTS = st.one_of(
    *(agent(name) for name in ("thompson", "uniform", "log-odds-thompson", "kl-ucb", "amplitude")),
    agent("period-weighted", SCHEDULE | {"stopping": RULES}),
    agent("epsilon-greedy", epsilon=st.floats(0, 1)),
    agent("odd_agents:Scores", {}),
)


@st.composite
def files(draw):
    """A valid experiment file, as a table."""
    table = {"replications": draw(st.integers(1, 4)), "seed": draw(st.integers(0, 2**70))}
    if draw(st.booleans()):
        table["scenario"] = draw(scenarios())
    else:
        names = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
        table["scenarios"] = [{"name": name} | draw(scenarios()) for name in names]
    labels = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    table["agents"] = [{"label": label} | draw(AGENTS) for label in labels]
    optional = {
        "name": NAMES,
        "traces": st.integers(0, 5),
        "classical": st.sampled_from([{"visits": 10.0}, {"visits": 3, "days": 2}, {"baseline": 0.1, "target": 0.2}]),
        "published": st.sampled_from([{"a": {"mean_day": "3"}}, {"nobody": {"x": 1}}]),
    }
    if draw(st.booleans()):
        methods = draw(st.lists(st.sampled_from(sorted(QUANTITIES)), min_size=1, max_size=3, unique=True))
        table |= {"estimates": methods, "least_weight": 0}
    return table | draw(st.fixed_dictionaries({}, optional=optional))


ODD = st.one_of(
    st.sampled_from([-1, 0, 0.5, 10**30, -(10**30), True, "", "x", [], {}, [[]], [1], {"x": 1}, "thompson", "os:path"]),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 5e-324, datetime.date(2013, 1, 23), "no.module:Name"]),
    st.text(max_size=5),
)


@st.composite
def broken(draw):
    """A file with one to three things changed: keys removed, misspelt or added, values that cannot be, text cut."""
    table = copy.deepcopy(draw(files()))  # a strategy's values are shared
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(list(places(table))))
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = draw(st.sampled_from(keys))
        change = draw(st.sampled_from(["replace", "replace", "remove", "misspell", "add"]))
        if change == "remove":
            del at[key]
        elif change == "misspell" and isinstance(key, str):
            at[key + draw(st.sampled_from(["s", "_", "X"]))] = at.pop(key)
        elif change == "add" and isinstance(at, dict):
            at[
                draw(
                    st.sampled_from(
                        [
                            *("rates", "name", "sweep", "object", "stopping", "classical", "start", "x"),
                            *("effects", "traffic", "delay", "joins", "memory", "floor", "estimates"),
                        ]
                    )
                )
            ] = copy.deepcopy(draw(ODD))
        else:
            at[key] = copy.deepcopy(draw(ODD))
        if not table:
            break
    text = "".join(f"{quoted(key)} = {toml(value)}\n" for key, value in table.items())
    content = text.encode("utf-8", "replace")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.sampled_from([b"", b"\xff", b"\0", b"[[", b'"', b"\n=\n"]))
    return content


def places(value):
    """All tables and lists within a table that have something in them."""
    if isinstance(value, dict | list):
        if value:
            yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from places(inner)


def quoted(text):
    return json.dumps(text).replace("\x7f", "\\u007f")


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime.date) else repr(value)


def play(content, tmp_path, capsys):
    """The exit status of a run, and the message; checks what must hold in any case."""
    path, out = tmp_path / "experiment.toml", tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    path.write_bytes(content)
    status = cli.main(["run", str(path), "--out", str(out), "--workers", "1", "--no-figures"])
    error = "".join(line for line in capsys.readouterr().err.splitlines(True) if "bandit-env: note: " not in line)
    complaints = [line for line in error.splitlines() if line.startswith("bandit-env: ")]
    assert "Traceback" not in error
    assert sorted(p.name for p in tmp_path.iterdir()) == (["experiment.toml", "out"] if status == 0 else [path.name])
    if status == 0:
        assert not complaints
        assert not results.read(out).failures
    else:
        assert status == 2, error
        assert len(complaints) == 1, error
        assert complaints[0].startswith(f"bandit-env: {path}: "), error
        assert len(error.strip().splitlines()) == 1, error
    return status, error


def is_long(content, path):
    """Whether a file is valid and asks for more days than a test can wait for: that it runs on is no hang."""
    path.write_bytes(content)
    try:
        experiment = config.load(path)
    except Exception:  # to be judged by the command
        return False
    work = sum(cell.task.max_updates * cell.task.num_arms for cell in experiment.cells)
    return experiment.replications * work > 1_000_000 or work > 50_000


def test_valid_files_run(tmp_path, capsys):
    @given(table=files())
    @settings(SETTINGS, max_examples=60)
    def attempt(table):
        content = "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
        status, error = play(content.encode(), tmp_path, capsys)
        assert status == 0 or "no classical test can be worked out" in error, error

    attempt()


@pytest.mark.parametrize("part", range(4))
def test_broken_files_are_refused_in_one_line_or_run(part, tmp_path, capsys, monkeypatch):
    """Four times 200 files; those that are valid after all run without their report, which the test above covers."""
    monkeypatch.setattr("bandit_env.views.report.write", lambda *arguments, **options: None)
    found = {0: 0, 2: 0}

    @given(content=broken())
    @settings(SETTINGS, max_examples=200, derandomize=False)
    @seed(part)
    def attempt(content):
        if not is_long(content, tmp_path / "experiment.toml"):
            status, _ = play(content, tmp_path, capsys)
            found[status] += 1

    attempt()
    assert found[2] > 90


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "agents: missing"),
        ("this is no TOML", "not TOML"),
        ("agents = " + "[" * 20_000, "not TOML"),
        ("seed = " + "9" * 10_000, "not TOML"),
        ("replications = 1_000_000_000_000_000\nscenario = {}\nagents = [{name = 'uniform'}]", "replications: found"),
        (
            "replicatons = 3\nscenario = {}\nagents = [{name = 'uniform'}]",
            "replicatons: unknown key; did you mean 'replications'",
        ),
        (
            "scenario = {ratess = [0.1, 0.2]}\nagents = [{name = 'uniform'}]",
            "scenario.ratess: unknown key; did you mean 'rates'",
        ),
        ("scenario = {}\nagents = [{name = 'thomson'}]", "unknown name 'thomson'; did you mean 'thompson'"),
        (
            "scenario = {}\nagents = [{name = 'thompson', stopping = 'value-remainin'}]",
            "did you mean 'value-remaining'",
        ),
        ("scenario = {}\nagents = [{name = 'thompson', pior = [1, 1]}]", "did you mean 'prior'"),
        (
            "scenario = {rates = [0.1, 1.5]}\nagents = [{name = 'uniform'}]",
            r"rates\[1\] is 1.5; expected a rate in \[0, 1\]",
        ),
        ("scenario = {rates = [0.1]}\nagents = [{name = 'uniform'}]", "rates has 1 arm; expected at least 2"),
        (
            "scenario = {visits_per_day = 0}\nagents = [{name = 'uniform'}]",
            "visits_per_day is 0; expected a whole number of at least 1",
        ),
        ("scenario = {max_days = -3}\nagents = [{name = 'uniform'}]", "max_days is -3; expected"),
        ("scenario = {}", "agents: missing"),
        ("scenario = {}\nagents = [{name = 'uniform', object = 1}]", r"agents\[0\]: 1 is no agent"),
        ("scenario = {}\nagents = [{name = 'os:getcwd'}]", "'os:getcwd' is no agent"),
        ("agents = [{name = 'uniform'}]", "expected one of the keys 'scenario' and 'scenarios', found neither"),
        (
            "scenario = {}\nagents = [{name = 'uniform', sweep = {"
            + ", ".join(f"k{i} = [1,2,3]" for i in range(20))
            + "}}]",
            "3,486,784,401 combinations; expected at most 10,000",
        ),
    ],
)
def test_each_mistake_has_its_message(content, message, tmp_path, capsys):
    status, error = play(content.encode(), tmp_path, capsys)
    assert status == 2
    import re

    assert re.search(message, error), error


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert cli.main(["run", str(tmp_path / "no.toml"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"bandit-env: {tmp_path / 'no.toml'}: no such file\n"
    assert cli.main(["run", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"bandit-env: {tmp_path}: cannot be read (Is a directory)\n"
    assert not list(tmp_path.iterdir())


@given(world=scenarios(), seed=st.integers(0, 2**63))
@settings(SETTINGS, max_examples=100)
def test_any_actions_leave_true_rows(world, seed):
    """Whatever an agent does, the books of its experiments balance."""
    world.pop("sweep", None)
    rows = run(world, [Scores()], 20, seed=seed, executor=1).cells[0].episodes
    arms = range(sum(name.startswith("rate_") for name in rows))
    rates = rows[[f"rate_{k}" for k in arms]].to_numpy()
    visits = rows[[f"visits_{k}" for k in arms]].to_numpy()
    conversions = rows[[f"conversions_{k}" for k in arms]].to_numpy()
    declared, per_day = rows["declared_arm"].to_numpy(), world.get("visits_per_day", 100)
    assert ((conversions >= 0) & (conversions <= visits)).all()
    assert (visits.sum(axis=1) == rows["visits"]).all()
    assert (conversions.sum(axis=1) == rows["conversions"]).all()
    assert rows["stopping_day"].between(Scenario(**world).task.min_days, world["max_days"]).all()
    assert (rows["loss"] >= rows["regret"] + rows["regret_after"] - 1e-6).all()
    assert (rows["regret"] >= -1e-9).all()
    assert (rows["correct"] <= (declared >= 0)).all()
    assert rows["best_rate"].isin(rates.ravel()).all()
    if Scenario(**world).moves or "start" in world:
        return
    expected = rows["stopping_day"] * per_day
    assert (abs(rows["visits"] - expected) < 1).all()
    assert rows["best_rate"].tolist() == rates.max(axis=1).tolist()
    lost = (visits * (rates.max(axis=1, keepdims=True) - rates)).sum(axis=1)
    np.testing.assert_allclose(rows["regret"], lost, rtol=1e-9, atol=1e-9)
    ended = declared >= 0
    chosen = rates[np.arange(len(rows)), declared]
    assert (rows["correct"] == (ended & (chosen == rows["best_rate"]))).all()
    left = world["max_days"] * per_day - rows["visits"]
    after = np.where(ended, left * (rows["best_rate"] - chosen), 0)
    np.testing.assert_allclose(rows["regret_after"], after, rtol=1e-9, atol=1e-9)
    assert (rows["stopping_day"][~ended] == world["max_days"]).all()
