"""No test writes into the user's results: neither here nor in a kernel, which inherits the variable."""

import os
import tempfile

_results = tempfile.TemporaryDirectory(prefix="workbook-tests-")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are so small that threads cost more than they bring
os.environ["WORKBOOK_RESULTS"] = _results.name  # before `helpers.files` is imported
