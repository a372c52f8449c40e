"""Helpers of the workbook *Raising a Language Model*.

Importing this package loads none of its modules, and heavy libraries come in where they are used, so that
`python -m helpers --help` is quick. tests/test_imports.py has the order in which data flows through the modules.
"""

import warnings

warnings.filterwarnings("ignore", "IProgress not found")  # tqdm's wish for ipywidgets, whose bars are blank in a page

__version__ = "0.1.0"
