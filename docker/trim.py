"""Leave out of an image's environment what never runs there: tests, sources of compiled code, stubs, tools, symbols.

`python3 docker/trim.py ENVIRONMENT`. What runs is compiled to bytecode here, for the root file system is read-only
later and every start would compile it again.
"""

import compileall
import py_compile
import shutil
import struct
import sys
from pathlib import Path

NEVER_RUN = (
    "**/tests",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.h",
    "**/*.a",
    "numpy/distutils",
    "numpy/f2py",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "onnxruntime/capi/libonnxruntime.so*",  # for programs in C; Python's extension module holds the runtime itself
)

LOAD = 1  # the type of a segment that is loaded


def bare(library: bytes) -> bytes:
    """A 64-bit little-endian ELF library without what only linkers and debuggers read; anything else as it is.

    As `strip` does, which slim images lack; wheels of Cython code carry several times their own size in symbols. What
    no segment is loaded from is cut out by whole pages, for a segment's offset and address must stay equal modulo its
    alignment (System V ABI, chapter 5, Program Header), and the section headers go, which the loader does not read.
    """
    if library[:6] != b"\x7fELF\x02\x01":
        return library
    (table,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", library, table + size * index) for index in range(count)]
    loads = sorted((each[2], each[2] + each[5]) for each in headers if each[0] == LOAD)
    page = max((each[7] for each in headers if each[0] == LOAD), default=0)
    if not loads or loads[0][0] != 0 or not any(a <= table and table + size * count <= b for a, b in loads):
        return library
    kept = bytearray()
    cuts: list[tuple[int, int]] = []  # from this offset on, so many bytes less
    cut = end = 0
    for begin, stop in loads:
        gap = max(0, begin - end) // page * page
        cut += gap
        kept += bytes(max(0, begin - cut - len(kept))) + library[max(begin, end) : stop]
        cuts.append((begin, cut))
        end = max(end, stop)

    def moved(offset: int) -> int:
        return offset - max((less for begin, less in cuts if begin <= offset), default=0)

    struct.pack_into("<QQ", kept, 32, moved(table), 0)
    struct.pack_into("<HHH", kept, 58, 64, 0, 0)
    for index, each in enumerate(headers):
        struct.pack_into("<Q", kept, moved(table) + size * index + 8, moved(each[2]))
    return bytes(kept)


def trim(environment: Path) -> None:
    """Remove, shrink and compile. Raises FileNotFoundError where there is no environment."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    for pattern in NEVER_RUN:
        for path in list(packages.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)  # it may have been in a folder that is gone
    for path in packages.rglob("*.so*"):
        path.write_bytes(bare(path.read_bytes()))
    compileall.compile_dir(packages, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
