"""Make a 4-bit model file out of a 16-bit one: ``python -m assistant.inference.quantize SOURCE RESULT TYPE``.

The role ``model`` runs it, on the controller or in the assistant's image on a server.
"""

import argparse
import ctypes
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from assistant.inference.fit import mebibytes
from assistant.inference.gguf import Header, read_header
from assistant.inference.gguf_reader import GgufError
from assistant.inference.gguf_tables import FILE_TYPES, TENSOR_TYPES
from assistant.inference.host import usable_cores
from assistant.inference.last_words import explain, surroundings
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
    kinds = sorted(set(FILE_TYPES.values()) - SIXTEEN_BITS)
    if kind not in kinds:
        raise QuantizeError(f"there is no type {kind} to quantize to; one of {', '.join(kinds)}")
    try:
        header = read_header(source)
    except GgufError as error:
        raise QuantizeError(f"{source}: {error}") from None
    if header.quantization not in SIXTEEN_BITS:
        raise QuantizeError(f"{source} has the type {header.quantization}; a 16-bit file is needed")
    _check_room(header, result, kind)
    partial = result.with_name(f".{result.name}.part")
    # Of an earlier run that was killed; what still writes to it then writes into nothing.
    partial.unlink(missing_ok=True)
    try:
        _in_child(source, partial, kind, pure)
        read_header(partial)
        partial.chmod(0o444)
        partial.replace(result)
    except GgufError as error:
        raise QuantizeError(f"what llama.cpp wrote is damaged: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def _check_room(header: Header, result: Path, kind: str) -> None:
    """Refuse a disk that cannot hold the result: most of its weights are of the type that ``kind`` names."""
    sizes = [size / block for name, block, size in TENSOR_TYPES.values() if kind.startswith(name)]
    least = int(header.parameters * min(sizes, default=0.0))
    result.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(result.parent).free
    if least > free:
        raise QuantizeError(
            f"the result needs at least {mebibytes(least)} MiB, and {result.parent} has {free >> 20} MiB"
            " free; make room there or name another folder"
        )


def _in_child(source: Path, partial: Path, kind: str, pure: bool) -> None:
    """Have a child do it, which can be ended at any moment, and whose death of a bad file is only its own."""
    command = [sys.executable, "-m", "assistant.inference.quantize", "--here"]
    command += [str(source), str(partial), kind]
    command += ["--pure"] if pure else []
    with subprocess.Popen(  # noqa: S603 - a fixed command line
        command, stderr=subprocess.PIPE, env=surroundings()
    ) as child:
        try:
            _, said = child.communicate()
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        raise QuantizeError(f"{source} could not be quantized: {explain(child.returncode, said)}")


def _here(source: Path, partial: Path, kind: str, pure: bool) -> None:
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
    parameters.ftype = {name: number for number, name in FILE_TYPES.items()}[kind]
    parameters.nthread = usable_cores()
    parameters.pure = pure
    done = llama_cpp.llama_model_quantize(
        str(source).encode(), str(partial).encode(), ctypes.byref(parameters)
    )
    if done:
        free = shutil.disk_usage(partial.parent).free
        raise QuantizeError(
            f"llama.cpp ended with code {done}; {free >> 20} MiB are free in {partial.parent}"
        )


def _stop(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    """Quantize, and print both sizes; 1 with the reason where that failed."""
    parser = argparse.ArgumentParser(description="Quantize a 16-bit GGUF file.")
    parser.add_argument("source", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("kind", metavar="TYPE", help="for example Q4_K_M")
    parser.add_argument(
        "--pure", action="store_true", help="every matrix to that type; llama.cpp itself keeps more for some"
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    # So that what is half done goes away as after an error.
    signal.signal(signal.SIGTERM, _stop)
    try:
        if options.here:
            # The parent alone decides when this ends.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _here(options.source, options.result, options.kind, options.pure)
            return 0
        quantize(options.source, options.result, options.kind, pure=options.pure)
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
