"""Does memory stay small on text that does not fit into it? `python tests/training/memory.py [GIGABYTES] [TOKENS]`.

Writes so much text (2 GB by default) as Parquet into a temporary folder, pretrains on it as a stream in a process of
its own, and prints that process' greatest memory. It is no test: it takes ten minutes and the disk space.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILES, DOCUMENTS = 8, 20_000
WORDS = np.array(["".join(np.random.default_rng(i).choice(list("aeioulnrstdmk"), 2 + i % 7)) for i in range(5000)])
CHILD = """
import resource, sys
from helpers.cli import main
main(sys.argv[1:])
print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
"""


def write(folder, size):
    """Writes `FILES` Parquet files with together at least `size` bytes of text."""
    rng = np.random.default_rng(0)
    for file in range(FILES):
        schema = pa.schema({"text": pa.string()})
        written = 0
        with pq.ParquetWriter(folder / f"part-{file}.parquet", schema) as out:
            while written < size / FILES:
                words = rng.choice(WORDS, (DOCUMENTS, 200))
                texts = [" ".join(row) for row in words]
                written += sum(map(len, texts))
                out.write_table(pa.table({"text": texts}, schema=schema))


if __name__ == "__main__":
    gigabytes, tokens = [*sys.argv[1:], *["2", "1000000"][len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), float(gigabytes) * 1e9)
        options = ["--stream", "--corpus", folder, "--name", "memory-check", "--set", f"tokens={tokens}"]
        subprocess.run([sys.executable, "-c", CHILD, "pretrain", *options], check=True)
