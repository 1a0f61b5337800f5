"""Loading the compiled parts of llama.cpp that are chosen at run time."""

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

# ggml_abort() forks a child that looks for a debugger, and waits for it (ggml.c, ggml_print_backtrace). Where
# there is none the child ends by exit(), in a copy of a process with many threads, and may hang in that for
# ever: a process that should be dead stays, and nobody starts it again.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")


def load_cpu_backends(library_directory: Path) -> None:
    """Load the ggml backend that suits this CPU from ``library_directory`` (llama_cpp/lib).

    The wheel is built with GGML_BACKEND_DL and GGML_CPU_ALL_VARIANTS: there is one library for each
    generation of CPUs, and ggml picks the best that this one can run (ggml/include/ggml-backend.h,
    ``ggml_backend_load_all_from_path``). By itself ggml looks beside the executable, which is python. A wheel
    that was built without them has its CPU code in the main library, and then there is nothing to do.
    """
    if not any(library_directory.glob("libggml-cpu-*.so")):
        return
    # Looked up through libllama, which finds it in the libggml that it is linked to itself. In an unpacked
    # wheel libggml.so and libggml.so.0 are two files; backends loaded into the wrong one stay unseen.
    load = ctypes.CDLL(str(library_directory / "libllama.so")).ggml_backend_load_all_from_path
    load.argtypes = [ctypes.c_char_p]
    load.restype = None
    load(str(library_directory).encode())


@functools.cache
def holding_the_lock(binding: Any, name: str) -> Any:
    """Return the binding's function ``name`` as one that keeps Python's interpreter lock while it runs.

    ctypes gives the lock away at each call of a ``CDLL`` function and has to win it back, which other
    threads may make last milliseconds; for a function that only looks something up that is all it costs
    (docs.python.org/3/library/ctypes.html#ctypes.PyDLL).
    """
    function = getattr(binding, name)
    library = Path(binding.__file__).parent / "lib" / "libllama.so"
    quick = getattr(ctypes.PyDLL(str(library)), name)
    quick.argtypes, quick.restype = function.argtypes, function.restype
    return quick
