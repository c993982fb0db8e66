"""Broken manifests, each refused with its line; and a sound one, which is not."""

import ast
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

import localhub
from localhub.manifest import ManifestError, load_deployment
from localhub.manifest.lint import CLEAN, ERRORS, UNREADABLE, lint, lint_main
from localhub.manifest.problem import Problem
from localhub.manifest.rules import _NEEDED, _OF_THE_BASE, _WORTH_SAYING
from localhub.manifest.rules.catalogue import RULES
from localhub.manifest.rules.never import is_no_truth
from localhub.routes import parse_route

VARIABLES = {"REGISTRY": "registry:5000"}
BIG = json.dumps({"Labels": {f"label{number}": "x" * 60 for number in range(60)}})
UP = "FROM /messages/modules/oven/outputs/* WHERE kind = 'alert' INTO $upstream"


def found(solution: Any, *layers: Path) -> list[Problem]:
    return lint(solution.template, layers, variables=VARIABLES)


def test_a_sound_manifest_has_no_findings(solution: Any) -> None:
    assert found(solution) == []


# (what is changed, into what, the rule that must speak on the line of the change, error or warning)
BROKEN = [
    # what edgeHub refuses
    (UP, "FROM /messages/modules/oven/outputs/* INTO upstream", "route-syntax", "error"),
    (UP, "FROM /messages/modules/oven/ INTO $upstream", "route-syntax", "error"),
    (UP, "FROM /messages/modules/oven/outputs/* WHERE kind == 'alert' INTO $upstream", "route-syntax", "error"),
    (UP, "FROM /messages/modules/oven/outputs/* INTO $cloud", "route-syntax", "error"),
    (UP, "FROM /messages/modules/oven/outputs/* WHERE temp > 20 INTO $upstream", "route-compile", "error"),
    (UP, "FROM /messages/modules/oven/outputs/* WHERE (kind = 'a' INTO $upstream", "route-compile", "error"),
    # what it accepts, and what does not mean what it says
    (UP, "FROM /messages/modules/oven/outputs/* INTO $upstream WHERE kind = 'alert'", "route-rest", "error"),
    (UP, "FROM /messages/modules/oven/outputs/* WHERE unit!='F' INTO $upstream", "route-glued", "error"),
    (UP, "FROM /messages/modules/*/outputs/alerts INTO $upstream", "route-star", "error"),
    (UP, "FROM /messages/modules/ov* INTO $upstream", "route-star", "error"),
    (UP, "FROM /messages/events INTO $upstream", "route-source", "error"),
    (UP, "FROM /messages/modules/oven/output/x INTO $upstream", "route-source", "error"),
    (UP, "FROM /messages/modules/nowhere/outputs/* INTO $upstream", "route-module", "error"),
    ("/modules/oven/inputs/heat", "/modules/Oven/inputs/heat", "route-module", "error"),
    ("/modules/oven/inputs/heat", "/module/oven/input/heat", "route-address", "error"),
    ("/modules/oven/inputs/heat", "///oven/heat", "route-address", "error"),
    ("/messages/modules/press/outputs/heat", "/messages/*", "route-loop", "error"),
    ("/messages/modules/press/outputs/heat", "/* WHERE kind = 'heat'", "route-loop", "warning"),
    (UP, UP.replace("kind = 'alert'", "$body.rms > 4"), "route-body-missing", "warning"),
    (UP, UP.replace("kind = 'alert'", "4 < $body.rms"), "route-body-missing", "warning"),
    (UP, UP.replace("kind = 'alert'", "$body.rms = 4"), "route-content-type", "warning"),
    (UP, UP.replace("kind = 'alert'", "temp > '20'"), "route-text-order", "warning"),
    (UP, UP.replace("oven/outputs/*", "*").replace("kind = 'alert'", "$body.rms = 4"), "route-content-type", "warning"),
    (UP, UP.replace("kind = 'alert'", "n*2 = 'x'"), "route-glued", "error"),
    (UP, UP.replace("kind = 'alert'", "as_number(kind) = 1 AND a = 5-3"), "route-glued", "error"),
    (UP, UP.replace("kind = 'alert'", "kind"), "route-never", "error"),
    (UP, UP.replace("kind = 'alert'", "as_number(kind)"), "route-never", "error"),
    (UP, UP.replace("kind = 'alert'", "kind = TRUE"), "route-word", "error"),
    (UP, UP.replace("kind = 'alert'", "kind = 'alert' AND $cid = 'x'"), "route-system-name", "error"),
    (UP, UP.replace("kind = 'alert'", "NOT is_null($body.rms)"), "route-body-test", "warning"),
    (UP, UP.replace("kind = 'alert'", "is_defined({$body.rms})"), "route-body-test", "warning"),
    # the hub
    ('"$edgeHub": {', '"$edgeHub": {"properties.desired": 5}, "press2": {', "hub", "error"),
    ('"timeToLiveSecs": 3600', '"timeToLiveSecs": 0', "ttl", "warning"),
    ('{"timeToLiveSecs": 7200}', '{"timeToLiveSecs": 0}', "ttl", "error"),
    ('{"timeToLiveSecs": 7200}', "{}", "ttl", "error"),
    ('{"timeToLiveSecs": 7200}', '{"timeToLiveSecs": -1}', "ttl", "error"),
    (
        '{"timeToLiveSecs": 7200}',
        '{"timeToLiveSecs": 9, "storeLimits": {"maxSizeBytes": 1}}',
        "unknown-member",
        "error",
    ),
    ('"priority": 0', '"priority": 10', "route-form", "error"),
    ('"timeToLiveSecs": 3600', '"timeToLiveSecs": -1', "route-form", "error"),
    ('"timeToLiveSecs": 3600', '"ttl": 3600', "unknown-member", "error"),
    ('"pressToOven"', '"press.oven"', "route-name", "error"),
    ('"schemaVersion": "1.1",\n        "routes"', '"schemaVersion": "1.4",\n        "routes"', "hub-config", "error"),
    ('"schemaVersion": "1.1",\n        "routes"', '"schemaVersion": "1.3",\n        "routes"', "hub-schema", "warning"),
    # the agent and its modules
    ('"$edgeAgent": {', '"$edgeagent": {', "agent", "error"),
    (
        '"type": "docker",\n          "settings": {\n',
        '"type": "podman",\n          "settings": {\n',
        "runtime",
        "error",
    ),
    ('"address": "registry:5000"', '"address": "my registry"', "registry", "error"),
    ('"edgeAgent": {\n', '"edgeagent": {\n', "system-modules", "error"),
    ('"oven": {', '"lamp": "on",\n          "oven": {', "module-entry", "error"),
    (
        '"schemaVersion": "1.1",\n        "runtime"',
        '"schemaVersion": "1.1.0",\n        "runtime"',
        "agent-schema",
        "warning",
    ),
    (
        '"schemaVersion": "1.1",\n        "runtime"',
        '"schemaVersion": "2.0",\n        "runtime"',
        "agent-schema",
        "error",
    ),
    ('"status": "running",\n            "restartPolicy": "on-failure"', '"status": "running"', "module", "error"),
    ('"on-failure"', '"sometimes"', "module-value", "error"),
    ('"startupOrder": 2', '"startupOrder": -2', "module-value", "error"),
    ('"startupOrder": 2', '"startOrder": 2', "unknown-member", "error"),
    ('"oven": {', '"the oven": {', "module-name", "error"),
    ('"oven": {', '"edgeHub": {', "module-name", "error"),
    ('"PACE": {"value": 1.5}', '"PA.CE": {"value": 1.5}', "env", "error"),
    ('"PACE": {"value": 1.5}', '"PACE": 1.5', "env", "error"),
    ('{"image": "${MODULES.oven.arm32v7}"}', "{}", "image", "error"),
    ("${MODULES.oven.arm32v7}", "Registry/Oven Two", "image-name", "error"),
    ("${MODULES.oven.arm32v7}", "${MODULES.ofen}", "module-placeholder", "error"),
    ("${MODULES.oven.arm32v7}", "${MODULES.oven.s390x}", "module-placeholder", "error"),
    ("${MODULES.oven.arm32v7}", "${MODULEDIR<../elsewhere>}", "module-placeholder", "error"),
    ("${MODULES.oven.arm32v7}", "${SOMEWHERE}/oven:1", "placeholder", "error"),
    ('"${REGISTRY_PASSWORD}"', '"hunter2"', "password", "warning"),
    ('"createOptions": {"HostConfig": {}}', f'"createOptions": {BIG}', "create-options-length", "error"),
    ('"createOptions": {"HostConfig": {}}', f'"createOptions": "{{}}{" " * 600}"', "create-options-length", "error"),
    ('"createOptions": {"HostConfig": {}}', '"createOptions": "{", "createOptions02": "}"', "create-options", "error"),
    ('"createOptions": {"HostConfig": {}}', '"createOptions": "[]"', "create-options", "error"),
    (
        '"createOptions": {"HostConfig": {}}',
        '"createOptions": {"HostConfg": {}}',
        "create-options-member",
        "warning",
    ),
    # twins and the file itself
    ('"modulesContent"', '"moduleContents"', "content", "error"),
    ('"modulesContent"', '"moduleContent"', "content", "warning"),
    ('"press": {\n      "prop', '"presse": {\n      "prop', "section", "warning"),
    ('"properties.desired": {"settings"', '"properties.reported": {"settings"', "section", "error"),
    ('{"pace": 3}', '{"the pace": 3}', "twin", "error"),
    ('{"pace": 3}', '{"pace": 3, "pace": 4}', "twice", "error"),
    ('"restartPolicy": "on-failure",', '"restartPolicy": "on-failure"', "json", "error"),
]


@pytest.mark.parametrize(("old", "new", "rule", "severity"), BROKEN)
def test_a_broken_manifest_is_told_with_its_line(solution: Any, old: str, new: str, rule: str, severity: str) -> None:
    line = solution.replace(old, new)
    spoken = [problem for problem in found(solution) if problem.rule == rule]
    assert spoken, found(solution)
    problem = spoken[0]
    assert str(problem.severity) == severity
    # A missing member is told at the entry that lacks it, a missing comma on the line behind it.
    assert line - 3 <= problem.place.line <= line + new.count("\n") + 1
    assert problem.hint or rule in {"json", "hub-config"}


# Those that need more than one change of the template have a test of their own below.
GUIDE = Path(localhub.__file__).parents[1] / "docs/guides/lint.md"
ELSEWHERE = {"module-json", "create-options-text", "route-no-output", "layer"}


def spoken() -> set[str]:
    """Every rule's name that stands in the code where a finding is made."""
    names = set()
    for path in Path(localhub.manifest.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            at = {"error": 0, "warning": 0, "members": 3, "one_of": 3, "whole": 3, "text": 3, "is_object": 3}
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            index = at.get(called, len(node.args))
            rule = node.args[index] if index < len(node.args) else None
            if isinstance(rule, ast.Constant) and re.fullmatch(r"[a-z-]+", str(rule.value)):
                names.add(str(rule.value))
    return names


def test_the_catalogue_the_code_the_guide_and_these_tests_know_the_same_rules(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert spoken() == set(RULES)
    assert {rule for _, _, rule, _ in BROKEN} | ELSEWHERE == set(RULES)
    assert not (_NEEDED | _WORTH_SAYING | _OF_THE_BASE) - set(RULES)
    assert lint_main(["--rules"]) == CLEAN
    assert capsys.readouterr().out in GUIDE.read_text(), "put the table of `localhub lint --rules` into the guide"
    assert lint_main(["--rules", "--format", "json"]) == CLEAN
    assert set(json.loads(capsys.readouterr().out)) == set(RULES)


def test_the_guides_example_says_what_it_shows(solution: Any) -> None:
    solution.replace(UP, UP.replace("kind = 'alert'", "$body.rms > 4"))
    said = str(found(solution)[0]).replace(str(solution.folder) + "/", "")
    assert said in GUIDE.read_text().replace("write\nis_number", "write is_number")


RECORDED = json.loads((Path(__file__).parents[1] / "routes/cases.json").read_text("utf-8"))["conditions"]


def test_no_condition_that_edgehub_has_found_true_or_false_is_called_neither() -> None:
    for condition in {text for _, text, outcome in RECORDED if outcome in {"true", "false"}}:
        tree = parse_route(f"FROM /messages/* WHERE {condition} INTO $upstream").parsed.tree
        assert tree is not None
        assert not is_no_truth(tree) or condition in {"null", "false"}, condition


def test_guarded_body_paths_are_no_trap(solution: Any) -> None:
    guarded = UP.replace("kind = 'alert'", "is_number($body.rms) AND $body.rms > 4 AND $body.x = null")
    solution.replace(UP, guarded)
    assert [problem.rule for problem in found(solution)] == ["route-content-type"]


def test_a_catch_all_for_leaf_devices_is_no_loop(solution: Any) -> None:
    solution.replace("/messages/modules/press/outputs/heat", "/messages/* WHERE NOT is_defined($connectionModuleId)")
    assert found(solution) == []


def test_outputs_star_misses_messages_without_an_output(solution: Any) -> None:
    (solution.folder / "modules" / "oven" / "main.py").write_text("x\nclient.send_message(message)\n")
    (problem,) = found(solution)
    assert problem.rule == "route-no-output"
    assert "main.py:2" in problem.message


def test_a_missing_dockerfile_is_told_in_module_json(solution: Any) -> None:
    (solution.folder / "modules" / "oven" / "Dockerfile.amd64").unlink()
    problems = found(solution)
    assert {problem.rule for problem in problems} == {"module-json"}
    assert problems[0].place.file.endswith("modules/oven/module.json")


def test_a_variable_that_env_example_documents_is_only_a_warning(solution: Any) -> None:
    solution.replace("${MODULES.oven.arm32v7}", "${SOMEWHERE}/oven:1")
    (solution.folder / ".env.example").write_text("SOMEWHERE=registry\n")
    (problem,) = found(solution)
    assert (problem.rule, str(problem.severity)) == ("placeholder", "warning")


def test_createoptions_as_an_object_stand_only_in_a_template(solution: Any) -> None:
    solution.replace('"$schema-template": "4.0.0",', "")
    plain = solution.folder / "deployment.json"
    solution.template.rename(plain)
    rules = [problem.rule for problem in lint(plain, variables=VARIABLES)]
    assert rules == ["create-options-text"] * 3


def test_layers_are_linted_with_the_base(solution: Any) -> None:
    layer = solution.layer(
        {"$edgeHub": {"properties.desired.routes.all": "FROM /messages/modules/gone INTO $upstream"}}
    )
    (problem,) = found(solution, layer)
    assert (problem.rule, problem.place.file) == ("route-module", str(layer))


def test_a_layer_alone_is_asked_only_what_it_says_itself(solution: Any) -> None:
    layer = solution.layer(
        {
            "$edgeAgent": {"properties.desired.modules.lamp.status": "on"},
            "$edgeHub": {"properties.desired.routes.a": "FROM /messages/modules/press INTO upstream"},
        }
    )
    rules = {problem.rule for problem in lint(layer, variables=VARIABLES)}
    assert {"layer", "route-syntax", "module-value"} <= rules
    assert not rules & {"agent", "hub", "hub-config", "ttl", "route-module"}
    with pytest.raises(ManifestError, match="cannot run without its base"):
        load_deployment(layer, variables=VARIABLES)


def test_exit_codes_and_json(
    solution: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGISTRY", "r")
    assert lint_main([str(solution.template)]) == CLEAN
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    line = solution.replace("INTO $upstream", "INTO upstream")
    assert lint_main([str(solution.template), "--format", "json"]) == ERRORS
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["rule"], problem["line"], problem["severity"]) == ("route-syntax", line, "error")
    assert problem["hint"] == "write $upstream"
    assert lint_main([str(solution.folder / "absent.json")]) == UNREADABLE
    assert "No such file" in capsys.readouterr().err


def test_any_prefix_of_a_manifest_is_told_about_and_never_crashes(make_solution: Callable[[], Any]) -> None:
    solution = make_solution()
    text = solution.template.read_text()
    for length in range(0, len(text) - 2, 97):
        solution.template.write_text(text[:length])
        assert found(solution)


@pytest.mark.parametrize(
    "value", ["5", "null", "[]", '"x"', "{}", '{"modulesContent": 5}', '{"modulesContent": {"a": 1}}']
)
@pytest.mark.parametrize("part", [None, "$edgeAgent", "$edgeHub", "modules", "routes", "settings", "press", "env"])
def test_any_part_of_the_wrong_kind_is_told_about(solution: Any, part: str | None, value: str) -> None:
    document = json.loads(solution.template.read_text())

    def put(here: Any) -> Any:
        if isinstance(here, dict):
            return {name: json.loads(value) if name == part else put(member) for name, member in here.items()}
        return here

    solution.template.write_text(value if part is None else json.dumps(put(document)))
    assert isinstance(found(solution), list)
    with suppress(ManifestError):
        load_deployment(solution.template, variables=VARIABLES)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, part in parts for below in paths(part, (*path, key)))]


PARTS = [None, 5, 1.5, "", "x", "${A}", [], [1], {}, {"a": 1}, "FROM /* INTO $upstream"]


@pytest.mark.parametrize("seed", range(100))
def test_a_manifest_broken_at_random_is_run_or_refused_in_words(solution: Any, seed: int) -> None:
    random = Random(seed)
    document = json.loads(solution.template.read_text())
    for _ in range(random.choice([1, 2])):
        *way, last = random.choice(paths(document)[1:])
        here = document
        for step in way:
            here = here[step]
        if isinstance(here, dict) and random.random() < 0.3:
            del here[last]
        else:
            here[last] = random.choice(PARTS)
    solution.template.write_text(json.dumps(document, indent=1))
    assert all(problem.place.line > 0 for problem in found(solution))
    with suppress(ManifestError):
        load_deployment(solution.template, variables=VARIABLES).effective()
