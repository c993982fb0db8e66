"""Leave out of an image's environment what never runs there: tests, sources of compiled code, stubs, tools.

`python3 docker/trim.py ENVIRONMENT`. What runs is compiled to bytecode here, for the root file system is read-only
later and every start would compile it again.
"""

import compileall
import py_compile
import shutil
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


def trim(environment: Path) -> None:
    """Remove and compile. Raises FileNotFoundError where there is no environment."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    for pattern in NEVER_RUN:
        for path in list(packages.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)  # it may have been in a folder that is gone
    compileall.compile_dir(packages, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
