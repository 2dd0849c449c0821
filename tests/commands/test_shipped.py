"""Experiments by name: those of the top-level folder `configs`, from wherever the command is called."""

from pathlib import Path

import pytest

from bandit_env import cli
from bandit_env.experiment import results
from bandit_env.experiment.config import shipped

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_list_has_a_line_for_each_with_its_first_sentence(capsys):
    assert cli.main(["run", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(
        path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.rglob("*.toml")
    )
    assert lines[0].split(maxsplit=1) == ["aa_test", "Two pages that convert equally."]
    assert {"ab_test", "replay/rl2"} <= {line.split()[0] for line in lines}
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


def test_a_name_runs_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "ab_test", "--replications", "3", "--out", "out", "--no-figures"]) == 0
    assert results.read("out").config["name"] == "ab_test"


@pytest.mark.parametrize("package", ["bandit_env", "_configs"])
def test_the_folder_of_an_installed_package_goes_first(tmp_path, monkeypatch, package):
    (tmp_path / "bandit_env").mkdir()
    home = tmp_path / ("configs" if package == "bandit_env" else "bandit_env/_configs")
    home.mkdir()
    (home / "mine.toml").write_text("# Mine? Yes.\n")
    monkeypatch.setattr("bandit_env.__file__", str(tmp_path / "bandit_env" / "__init__.py"))
    assert list(shipped.lines()) == ["mine  Mine?"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            "ab_tst",
            "ab_tst: no such file, and no experiment of that name; did you mean 'ab_test'? (known: aa_test, ab_",
        ),
        ("nothing-like-it", "nothing-like-it: no such file, and no experiment of that name (known: "),
        ("ab_test.toml", "ab_test.toml: no such file\n"),
        ("configs/ab_test", "configs/ab_test: no such file\n"),
        ("../ab_test", "../ab_test: no such file\n"),
        ("a_folder", "a_folder: cannot be read (Is a directory)\n"),
        ("x" * 300, "x" * 300 + ": "),
    ],
)
def test_what_is_neither_a_file_nor_a_name(tmp_path, monkeypatch, capsys, asked, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_folder").mkdir()
    assert cli.main(["run", asked]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"bandit-env: {told}")
    assert said.count("\n") == 1


def test_without_a_name(capsys):
    assert cli.main(["run"]) == 2
    assert "which experiment?" in capsys.readouterr().err


def test_a_file_of_that_name_in_the_folder_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ab_test").write_text("")
    assert shipped.find(Path("ab_test")) == Path("ab_test")
    (tmp_path / "ab_test").unlink()
    (tmp_path / "ab_test").mkdir()  # a folder, of results say, does not
    assert shipped.find(Path("ab_test")).name == "ab_test.toml"
