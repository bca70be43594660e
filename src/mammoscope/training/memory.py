"""Memory that a training process keeps between its steps.

Every step asks for the same large pieces of memory. The C library of Linux gives those of 32 MiB
and more back to the system at once and gets them again, page by page and filled with zeros, which
took a sixth to a third of a step (one thread, EfficientNet-lite0).
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Numbers of mallopt(3)'s options."""
_KEPT_BYTES = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, up to 2 GiB, until it ends.

    Returns
    -------
    Whether the C library could be told so; another one than glibc's is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
