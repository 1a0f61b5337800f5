"""Loading the compiled parts of llama.cpp that are chosen at run time."""

import ctypes
from pathlib import Path


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
