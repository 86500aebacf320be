"""Runs as the process in which targets are loaded and checked; see ``rnncheck.isolation.worker``.

It stands in a folder of its own, which is all that running it puts on the import path: what stands there then is the
parent's own import path, which comes as its first message.
"""

import os
import pickle
import sys

if __name__ == "__main__":
    # The pipes go where the target does not find them; what it writes to descriptor 1 goes to stderr.
    asked, answered = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    os.close(nothing)
    sys.path[:] = pickle.load(asked)

    from rnncheck.isolation.worker import serve

    serve(asked, answered)
