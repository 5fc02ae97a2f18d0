"""Commands for people."""

import os

# nothing here calculates with matrices: numpy's library would start a thread for each core
os.putenv("OPENBLAS_NUM_THREADS", "1")
