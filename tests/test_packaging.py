"""What a newcomer meets first: the README's commands exist, its files are there, the pins are those in use."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ssl_asr.cli.main import main
from ssl_asr.recipe import parse_recipe, presets
from ssl_asr.runtime.pipeline import NAMES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
BUILT = {"meeteval", "cython"}  # from source, and not installed where there is no compiler
PAGES = ["README.md", "CHANGELOG.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def code(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shell_lines(page: str) -> list[str]:
    blocks = code("bash", (ROOT / page).read_text().replace("\\\n", " "))
    return [
        line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.split("#")[0].strip()
    ]


def every_command(first: str) -> list[list[str]]:
    return [words for page in PAGES for line in shell_lines(page) if (words := shlex.split(line))[0] == first]


def test_make_targets_exist():
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    named = {words[1] for words in every_command("make")}
    assert {"demo", "test"} <= named <= {"demo", "test", "test-cluster"}
    assert {"demo", "test", "test-cluster", "chaos", "check", "format", "clean"} <= set(targets)


def test_every_test_is_run_by_one_of_the_two_targets():
    assert recipe_of("test").endswith("-m 'not cluster'\n")
    assert recipe_of("test-cluster").endswith("-m cluster\n")


def recipe_of(target: str) -> str:
    """The lines that make runs."""
    return re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]


def test_make_knows_what_to_do(tmp_path):
    done = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "ssl-asr run demo corpus.cache=" in done.stdout


def test_make_says_what_is_missing_without_python(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(
        ["make", "PYTHONS=no-such-python", "check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "apt-get install python3 python3-venv" in done.stdout


def test_make_says_what_is_missing_without_venv(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    # A Python as Debian ships it: of a right version, without ensurepip.
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    fake.chmod(0o755)
    done = subprocess.run(
        ["make", f"PYTHONS={fake}", "check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert re.search(r"apt-get install python3\.1\d-venv", done.stdout)
    assert not (tmp_path / ".venv").exists()


def test_command_lines_are_understood():
    commands = [words[1:] for words in every_command("ssl-asr")]
    for page in PAGES:
        inline = re.findall(r"`(ssl-asr [^`]*)`", (ROOT / page).read_text())
        commands += [shlex.split(text)[1:] for text in inline if "…" not in text]
    assert len(commands) >= 50
    for words in commands:
        with pytest.raises(SystemExit) as end:
            main([words[0], "--help"])
        assert end.value.code == 0


def test_scripts_and_links_exist():
    for page in PAGES:
        text = (ROOT / page).read_text()
        for script in re.findall(r"python (jobs/[a-z_/]+\.py)", text):
            # Python looks for modules beside a script, not in the folder that holds `jobs`.
            assert not re.search(r"^(from|import) jobs\b", (ROOT / script).read_text(), re.MULTILINE), script
        for module in re.findall(r"python -m (jobs\.bench\.[a-z_]+)", text):
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), f"{page}: {module}"
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / page).parent.joinpath(link).exists(), f"{page}: {link}"
        for folder in re.findall(r"`(ssl_asr/[\w/]*)`", text):
            assert (ROOT / folder).exists(), f"{page}: {folder}"


def test_code_that_pages_point_at_exists():
    for page in ("docs/pitfalls.md", "docs/training.md", "README.md"):
        for path in re.findall(r"[`(](\w+/\w+\.py|\w+\.py)[`)]", (ROOT / page).read_text()):
            assert (ROOT / "ssl_asr" / path).exists() or (ROOT / path).exists(), f"{page}: {path}"


def test_recipe_in_the_readme_is_valid():
    import yaml

    (text,) = code("yaml")
    recipe = parse_recipe(yaml.safe_load(text))
    assert recipe.corpus.labeled == "kaldi:/data/labeled"


def test_readme_names_every_preset_and_stage():
    for name in (*presets(), *NAMES):
        assert name in README


def test_every_stage_has_a_job():
    for name in (*NAMES, "run"):
        text = (ROOT / "jobs" / f"{name}.py").read_text()
        assert f'main("{name}")' in text


def test_pins_are_the_versions_in_use_and_satisfy_pyproject():
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = {name(line): line.split("==")[1] for line in lines if line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    for requirement in map(Requirement, wanted):
        assert name(requirement.name) in pins, f"constraints.txt lacks {requirement.name}"
        assert requirement.specifier.contains(pins[name(requirement.name)])
    for package, version in pins.items():
        try:
            assert metadata.version(package).split("+")[0] == version, package
        except metadata.PackageNotFoundError:
            assert package in BUILT, f"{package} is not installed"


def name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", requirement.split("==")[0]).lower()


def test_package_carries_presets_and_page():
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["ssl_asr"]
    carried = {path for pattern in files for path in (ROOT / "ssl_asr").glob(pattern)}
    assert {f"{preset}.yaml" for preset in presets()} <= {path.name for path in carried}
    assert ROOT / "ssl_asr" / "report" / "page.html" in carried


def test_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_what_documented_commands_write_into_a_checkout_is_ignored():
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}
    assert {"data", "bundle", "runs", ".cache", ".venv"} <= ignored


def test_continuous_integration_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert {"make test", "make test-cluster"} <= set(script.read_text().splitlines())
