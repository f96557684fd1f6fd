"""What the scripts that compare the program with scikit-learn have in common; it is never a dependency."""

import os
import pathlib
import sys


def limit_threads(count):
    """Threads of numpy and scikit-learn, to be said before they are loaded; the environment as it was before."""
    before = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    return before


def pass_over(script, why):
    """Ends with 77: nothing was compared, and nothing is wrong."""
    print(f"{script}: passed over, as {why}")
    sys.exit(77)


def need_program(script, path):
    if not pathlib.Path(path).exists():
        pass_over(script, f"there is no {path} (./dev build)")
