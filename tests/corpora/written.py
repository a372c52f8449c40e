"""Files as a reader might have them, for tests of the loaders."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq


def write(path, data):
    """Writes rows as JSON lines, or text, or bytes; compressed if the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "\n".join(map(json.dumps, data)) if isinstance(data, list) else data
    data = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def parquet(rows):
    """Returns rows as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()
