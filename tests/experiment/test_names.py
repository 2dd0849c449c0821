"""Names in any script and of any length, and experiment files that are not what they seem."""

import os
import time

import pytest

from bandit_env import cli
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config
from bandit_env.experiment.config.names import check_name, folders_of, slug


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("ab_test", "ab_test"),
        ("thompson, gamma=0.5", "thompson-gamma=0.5"),
        ("Кнопка «Купить»", "Кнопка-Купить"),
        ("按钮测试", "按钮测试"),
        ("हिन्दी पाठ", "हिन्दी-पाठ"),
        ("u\u0308", "ü"),  # composed, as some file systems would
        ("../up", "up"),
        ("figures", "figures_"),
        ("config.json", "config.json_"),
        ("NUL", "NUL_"),
        ("com1.txt", "com1.txt_"),
    ],
)
def test_folders_are_readable_where_they_can_be(name, folder):
    assert slug(name) == folder


def test_what_cannot_be_read_or_is_cut_has_a_digest():
    names = ["🙂", "🙃", ".", "-", "«»", "x" * 300, "x" * 299, "按" * 300, "𝔘" * 90]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert slugs[0].startswith("unnamed-")
    assert slugs[5].startswith("x" * 80 + "-")
    assert all(len(os.fsencode(one)) < 255 for one in slugs)


def test_where_the_file_system_has_ascii_alone(monkeypatch):
    monkeypatch.setattr("os.fsencode", lambda text: text.encode("ascii"))
    assert slug("ab_test") == "ab_test"
    assert slug("Кнопка 7").startswith("7-")
    assert slug("Кнопка").startswith("unnamed-")
    assert slug("Кнопка") != slug("кнопка")


def test_no_two_cells_share_a_folder_whatever_the_case():
    cells = [("a", "x"), ("A", "x"), ("a", "X"), ("a", "x "), ("straße", "x"), ("STRASSE", "x")]
    folders = folders_of(cells)
    assert folders[:3] == ["a/x", "A/x-2", "a/X-3"]
    assert len({folder.casefold() for folder in folders}) == len(cells)


def test_ten_thousand_cells_take_no_time():
    begin = time.perf_counter()
    assert len(set(folders_of((f"s{i // 100}", "same") for i in range(10_000)))) == 10_000
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("name", ["", None, 5, "a\nb", "a\0b", "\x1b[2J", "\ud800"])
def test_what_is_no_name(name):
    with pytest.raises(ExperimentError, match=r"agents\[0\].label: found"):
        check_name("agents[0].label", name)


VALID = "replications = 2\n[scenario]\nmax_days = 2\n[[agents]]\nname = 'uniform'\n"


def test_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "e.toml").write_text(VALID, encoding="utf-8-sig")
    assert config.load(tmp_path / "e.toml").replications == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("scenario." + ".".join("a" * 100_000) + " = 1", "has a key of more than 200 parts"),
        ("[" + ".".join('"="' for _ in range(50_000)) + "]", "has a key of more than 200 parts"),
        ("x = {" + " . ".join("a" * 50_000) + " = 1}", "has a key of more than 200 parts"),
        ("#" * 10_000_001, "has 10,000,001 bytes; expected at most 10,000,000"),
        ("x = " + "{a = " * 5_000 + "1", "not TOML"),
    ],
)
def test_files_that_would_take_all_memory_are_refused_at_once(tmp_path, capsys, content, told):
    (tmp_path / "e.toml").write_text(content)
    begin = time.perf_counter()
    assert cli.main(["run", str(tmp_path / "e.toml")]) == 2
    assert time.perf_counter() - begin < 5
    assert capsys.readouterr().err.startswith(f"bandit-env: {tmp_path / 'e.toml'}: {told}")


@pytest.mark.parametrize("part", ["1.2.3", "'a'.b", '"x.y"', "long-name"])
def test_keys_of_a_few_parts_and_long_values_are_read(tmp_path, part):
    lines = [f"[published.{part}]", f"url = '{'a.b' * 100}'", f"# {'x.' * 90}", f"numbers = [{'0.5, ' * 1000}]"]
    more = "\n".join([*lines, f"name = '{'a' * 200_000}'\n"])
    (tmp_path / "e.toml").write_text(VALID + more)
    assert config.load(tmp_path / "e.toml").replications == 2
