"""A role's files, and its defaults, argument specification and README, which must tell the same story."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.repository.project import load_yaml, text_of

TASK_FILES = ("main", "validate", "install", "configure", "service", "uninstall")
# Roles that do nothing by themselves: other roles call these task files of theirs.
CALLED_ROLES = {"guard": ("arm", "prove", "rollback"), "daemon": ("validate", "install", "uninstall")}
OTHER_FILES = ("README.md", "meta/main.yml", "meta/argument_specs.yml", "defaults/main.yml")

# The types of an argument specification that a YAML value can be checked against:
# https://docs.ansible.com/ansible/latest/dev_guide/developing_program_flow_modules.html#argument-spec
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "list": (list,),
    "dict": (dict,),
    "raw": (object,),
}
_MISSING = object()


def role_directories(root: Path) -> list[Path]:
    """Return the folders of the roles."""
    return sorted(path for path in (root / "roles").glob("*") if path.is_dir())


def layout_problems(role: Path) -> list[str]:
    """Return what the role lacks of the files that every role has."""
    names = CALLED_ROLES.get(role.name, TASK_FILES)
    wanted = [f"tasks/{name}.yml" for name in names] + list(OTHER_FILES)
    return [f"{role.name}: {name} is missing" for name in wanted if not (role / name).is_file()]


def entry_point_problems(role: Path) -> list[str]:
    """Return the task files that tasks/main.yml must import and does not; inputs are checked first."""
    if role.name in CALLED_ROLES:
        return []
    main = role / "tasks" / "main.yml"
    text = text_of(main) if main.is_file() else None
    if text is None:
        return [f"{role.name}: tasks/main.yml is missing"]
    imported = [
        str(target.get("file") if isinstance(target, dict) else target)
        for task in load_yaml(main) or []
        for key, target in task.items()
        if key.rsplit(".", 1)[-1] in {"import_tasks", "include_tasks"}
    ]
    problems = []
    if not imported or imported[0] != "validate.yml":
        problems.append(f"{role.name}: tasks/main.yml must import validate.yml before anything else")
    problems += [
        f"{role.name}: tasks/main.yml does not import {name}.yml"
        for name in TASK_FILES[2:-1]
        if f"{name}.yml" not in imported
    ]
    return problems


def specification(role: Path) -> dict[str, dict[str, Any]]:
    """Return the options of the role's entry point ``main``; empty where there are none."""
    path = role / "meta" / "argument_specs.yml"
    if not path.is_file():
        return {}
    main = load_yaml(path).get("argument_specs", {}).get("main", {})
    options: dict[str, dict[str, Any]] = main.get("options") or {}
    return options


def specification_problems(role: Path) -> list[str]:
    """Return where defaults/main.yml, meta/argument_specs.yml and README.md do not agree."""
    path = role / "defaults" / "main.yml"
    defaults: dict[str, Any] = load_yaml(path) if path.is_file() else {}
    options = specification(role)
    readme_path = role / "README.md"
    readme = (text_of(readme_path) or "") if readme_path.is_file() else ""
    unknown = defaults.keys() - options
    problems = [f"{name}: in defaults/main.yml, but not in meta/argument_specs.yml" for name in unknown]
    for name, option in options.items():
        problems += _option_problems(name, option, defaults.get(name, _MISSING))
        if f"`{name}`" not in readme:
            problems.append(f"{name}: README.md does not have `{name}`")
        if not name.startswith(f"{role.name}_"):
            problems.append(f"{name}: does not start with {role.name}_")
    return [f"{role.name}: {problem}" for problem in sorted(problems)]


def _option_problems(name: str, option: dict[str, Any], default: Any) -> list[str]:
    """Return what is wrong with one option; ``default`` is the value in defaults/main.yml or _MISSING."""
    problems = []
    if not option.get("description"):
        problems.append(f"{name}: has no description")
    if "type" not in option:
        problems.append(f"{name}: has no type")
    if option.get("required"):
        if "default" in option or default is not _MISSING:
            problems.append(f"{name}: is required and has a default")
    elif default is _MISSING or "default" not in option:
        where = "defaults/main.yml" if default is _MISSING else "meta/argument_specs.yml"
        problems.append(f"{name}: is not required and has no default in {where}")
    elif (default, type(default)) != (option["default"], type(option["default"])):
        problems.append(f"{name}: default {default!r}, but the specification says {option['default']!r}")
    else:
        problems += _value_problems(name, option, default)
    return problems


def _value_problems(name: str, option: dict[str, Any], value: Any) -> list[str]:
    """Return why the value does not fit the option's type, elements and choices."""
    if isinstance(value, str) and "{{" in value:
        return []  # Ansible works this value out on the host
    wanted = option.get("type", "str")
    fits = isinstance(value, _TYPES.get(wanted, ()))
    if isinstance(value, bool) and wanted in {"int", "float"}:
        fits = False  # to Python a bool is an int
    problems = [] if fits else [f"{name}: default {value!r} is not of type {wanted}"]
    values = value if isinstance(value, list) else [value]
    if "choices" in option:
        strange = [each for each in values if each not in option["choices"]]
        problems += [f"{name}: default {each!r} is not among the choices" for each in strange]
    if wanted == "list":
        if "elements" not in option:
            return [*problems, f"{name}: is a list and says nothing of its elements"]
        element = {"type": option["elements"], "options": option.get("options", {})}
        for each in values:
            problems += _value_problems(f"{name} element", element, each)
    elif wanted == "dict" and fits and option.get("options"):
        problems += [f"{name}: key {key} is not specified" for key in value.keys() - option["options"].keys()]
    return problems
