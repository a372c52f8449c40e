"""A notebook that is run in JupyterLab shows no red boxes: what libraries say on stderr, their bars among it."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4

from helpers.progress import PROGRESS_MIME

MODEL = """
import torch
from helpers import progress
from datasets import Dataset
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
sizes = dict(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained("model")
AutoModelForCausalLM.from_pretrained("model")
rows = Dataset.from_dict({"a": [1, 2]}).map(lambda row: row)
"""
PROGRESS = """
progress.aside("Save this **notebook**.")
for _ in progress.each(range(3), "asking", "tests"):
    pass
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What cells show that are run by hand, without the runner's environment variables."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(MODEL), v4.new_code_cell(PROGRESS)])
    folder = tmp_path_factory.mktemp("by-hand")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TQDM_DISABLE", raising=False)
        NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.validate(notebook)
    return [cell.outputs for cell in notebook.cells]


def test_saving_loading_and_mapping_write_nothing_red(outputs):
    assert outputs[0] == []


def test_progress_and_asides_are_outputs_that_pages_leave_out(outputs):
    aside, line = outputs[1]
    assert aside.data["text/markdown"] == "Save this **notebook**."
    assert line.data["text/plain"].startswith("asking: 3 of 3 tests")
    assert all(PROGRESS_MIME in output.data for output in (aside, line))
