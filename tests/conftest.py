"""No test writes into the user's results: neither here nor in a kernel, which inherits the variable."""

import os
import tempfile

_results = tempfile.TemporaryDirectory(prefix="workbook-tests-")
os.environ["WORKBOOK_RESULTS"] = _results.name  # before `helpers.files` is imported
