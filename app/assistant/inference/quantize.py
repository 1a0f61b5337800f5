"""Make a 4-bit model file out of a 16-bit one: ``python -m assistant.inference.quantize SOURCE RESULT TYPE``.

The role ``model`` runs it, on the controller or in the assistant's image on a server.
"""

import argparse
import ctypes
import os
import sys
import time
from pathlib import Path

from assistant.inference.fit import mebibytes
from assistant.inference.gguf import GgufError, read_header
from assistant.inference.gguf_tables import FILE_TYPES
from assistant.inference.host import usable_cores
from assistant.inference.native import load_cpu_backends

SIXTEEN_BITS = {"F16", "BF16", "F32"}


class QuantizeError(Exception):
    """It could not be done; the text says why."""


def quantize(source: Path, result: Path, kind: str, *, pure: bool = False) -> None:
    """Write ``source``, quantized to ``kind``, as ``result``, which is whole or absent.

    Args:
        source: a file of 16-bit or 32-bit weights.
        result: the file to write; its folder is made.
        kind: a name of ``FILE_TYPES``, for example ``Q4_K_M``. Rows whose length is no multiple of 256 get a
            neighbouring type.
        pure: give every matrix that type; by itself llama.cpp keeps more bits for some, as the output.

    Raises:
        QuantizeError: the source cannot be served or is quantized already, or llama.cpp failed.
        OSError: the result cannot be written.
    """
    numbers = {name: number for number, name in FILE_TYPES.items()}
    if kind not in numbers:
        raise QuantizeError(f"there is no type {kind}; one of {', '.join(sorted(numbers))}")
    try:
        header = read_header(source)
    except GgufError as error:
        raise QuantizeError(f"{source}: {error}") from None
    if header.quantization not in SIXTEEN_BITS:
        raise QuantizeError(f"{source} has the type {header.quantization}; a 16-bit file is needed")
    # Imported here: the program can say what is wrong with its arguments where the library is missing.
    try:
        import llama_cpp
    except ImportError as error:
        raise QuantizeError(
            f"{sys.executable} has no llama-cpp-python ({error}); install it there "
            "(pip install --require-hashes -r app/requirements/engine.lock) or name another with "
            "model_quantize_python"
        ) from None
    load_cpu_backends(Path(llama_cpp.__file__).parent / "lib")
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = numbers[kind]
    parameters.nthread = usable_cores()
    parameters.pure = pure
    result.parent.mkdir(parents=True, exist_ok=True)
    partial = result.with_name(f".{result.name}.{os.getpid()}.part")
    try:
        done = llama_cpp.llama_model_quantize(
            str(source).encode(), str(partial).encode(), ctypes.byref(parameters)
        )
        if done:
            raise QuantizeError(f"llama.cpp could not quantize {source}: code {done}")
        read_header(partial)
        partial.chmod(0o444)
        partial.replace(result)
    except GgufError as error:
        raise QuantizeError(f"what llama.cpp wrote is damaged: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Quantize, and print both sizes; 1 with the reason where that failed."""
    parser = argparse.ArgumentParser(description="Quantize a 16-bit GGUF file.")
    parser.add_argument("source", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("kind", metavar="TYPE", help="for example Q4_K_M")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        quantize(options.source, options.result, options.kind)
    except (QuantizeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    before, after = options.source.stat().st_size, options.result.stat().st_size
    print(
        f"{options.source.name}: {mebibytes(before)} MiB, {options.result.name} ({options.kind}): "
        f"{mebibytes(after)} MiB, {after / before:.0%} of it, in {time.monotonic() - began:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
