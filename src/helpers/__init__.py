"""Helpers of the workbook *Raising a Language Model*.

The modules are listed in the order in which data flows through them; each imports only from those before it:
`files`, `progress`, `profiles`, `records`, `claims`, `statistics`, `exercises`, `corpora`, `tokenization`, `models`,
`training`, `generation`, `evaluation`, `plotting`, `benchmarks`, `studies`, `publishing`, `cli`. Importing this package
loads none of them: heavy libraries come in where they are used, so that `import helpers` and `python -m helpers --help`
are quick.
"""

import warnings

warnings.filterwarnings("ignore", "IProgress not found")  # tqdm's wish for ipywidgets, whose bars are blank in a page

__version__ = "0.1.0"
