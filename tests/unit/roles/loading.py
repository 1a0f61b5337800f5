"""Load a role's Python file, which is no part of any package, as a module."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_file(path: Path) -> ModuleType:
    """Return the module that a file makes; its name may lack the suffix, as a program's does."""
    name = path.stem.replace("-", "_")
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    specification = importlib.util.spec_from_loader(name, loader)
    assert specification
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # a dataclass looks its module up
    loader.exec_module(module)
    return module
