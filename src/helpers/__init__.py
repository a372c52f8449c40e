"""Helpers of the workbook *Raising a Language Model*.

Importing this package loads none of its modules, and heavy libraries come in where they are used, so that
`python -m helpers --help` is quick. tests/test_imports.py has the order in which data flows through the modules.
"""

import os
import sys
import warnings

if "ipykernel" in sys.modules:  # in a notebook, libraries' bars are red boxes; ours are `progress`'s
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
warnings.filterwarnings("ignore", "IProgress not found")  # tqdm's wish for ipywidgets, whose bars are blank in a page

__version__ = "0.1.0"
