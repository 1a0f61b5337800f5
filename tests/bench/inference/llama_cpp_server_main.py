"""``python -m llama_cpp.server`` with the CPU code that the wheel carries as libraries of their own.

The assistant's wheel holds one library for each generation of CPUs; llama-cpp-python looks for none of them
by itself, and would find no CPU at all. Needs ``app/`` on PYTHONPATH.
"""

import runpy
from pathlib import Path

import llama_cpp

from assistant.inference.native import load_cpu_backends

if __name__ == "__main__":
    load_cpu_backends(Path(llama_cpp.__file__).parent / "lib")
    runpy.run_module("llama_cpp.server", run_name="__main__")
