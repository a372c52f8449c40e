"""Executed chapters and records made by hand, so that no kernel is needed."""

import copy
import functools
import json
from dataclasses import asdict

import nbformat

from helpers import plotting
from helpers.profiles import load_profile
from helpers.records import RECORD_MIME

v4 = nbformat.v4


def cell(source="1", *outputs, tags=()):
    return v4.new_code_cell(source, execution_count=1, outputs=list(outputs), metadata={"tags": list(tags)})


def shown(**data):
    """An output, by MIME type with `_` for `/`."""
    return v4.new_output("display_data", {key.replace("_", "/", 1): value for key, value in data.items()})


def figure_output(headline=False):
    output = copy.deepcopy(drawn_once())
    output.metadata["image/png"]["headline"] = headline
    return output


@functools.cache
def drawn_once():
    figure, axes = plotting.figure(height=2)
    axes.plot([0, 1], [2, 1], label="model")
    data, metadata = plotting.render(figure, "loss", 'Loss falls from "2" to 1.', "The loss & its fall.")
    return v4.new_output("display_data", data, metadata=metadata)


def measurement(value, interval=None, **more):
    low_high = interval and {"low": interval[0], "high": interval[1], "method": "bootstrap", "level": 0.95}
    basics = {"name": "loss", "value": value, "unit": "bits per byte", "interval": low_high, "n": 40, "seeds": [0]}
    basics["about"] = {"corpus": "town", "method": "our model"}
    return basics | {"null": 8.0} | more


def results(measurements, **environment):
    """A `results.json` with one chapter."""
    libraries = {"torch": "2.13.0", "numpy": "2.4.6"}
    machine = {"python": "3.12.1", "platform": "Linux x86_64", "processor": "A <fast> processor", "threads": 2}
    record = {
        "profile": "laptop",
        "sizes": asdict(load_profile("laptop")),
        "parameters": {"seed": 0},
        "measurements": measurements,
        "predictions": {},
        "verdicts": {"C1": verdict("C1", "supported", "Loss fell to 1.83.")},
        "fingerprints": {"pydocs": "0123456789abcdef"},
        "environment": machine | {"libraries": libraries, "commit": "abc"} | environment,
        "cost": {"seconds": 241.0, "peak_memory_mb": 1234, "calibration_gflops": 100.0},
    }
    return {"format": 1, "chapters": {"01_first": record}}


def verdict(claim, here, because):
    about = {"claim": claim, "text": "A claim | that is <i>made</i>.", "here": here, "because": because}
    return about | {"at_scale": "So it does (A et al. 2020)."}


def shown_record(verdicts=(("C1", "supported", "So it is."),), outcomes=("held", "missed"), profile="laptop"):
    """The output of a chapter's last cell."""
    record = results({})["chapters"]["01_first"] | {"profile": profile}
    record["verdicts"] = {claim: verdict(claim, here, because) for claim, here, because in verdicts}
    record["predictions"] = {outcome: {"text": "x", "rule": "y", "outcome": outcome} for outcome in outcomes}
    return v4.new_output("execute_result", {"text/html": "<p>record</p>", RECORD_MIME: record}, execution_count=1)


def write_run(folder, record):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(record), encoding="utf-8")
    return folder
