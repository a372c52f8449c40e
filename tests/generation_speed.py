"""How many times as fast does a model write many answers together as one by one? `python tests/generation_speed.py`.

Prints JSON: tokens a second of both ways, their ratio, and how many answers are the same. The two ways take turns, and
seconds of CPU are counted, so that other work beside it matters less. The questions are those of TruthfulQA (Lin et al.
2022), from the folder that WORKBOOK_BENCHMARKS names, whose lengths are nearest to `--tokens`.
"""

import argparse
import csv
import json
import os
import sys
import time
from pathlib import Path

import torch

from helpers.generation import reply
from helpers.pretrained import load_model

TURNS = 2


def questions(tokenizer, count, tokens):
    """Returns so many questions, the nearest to a length."""
    folder = os.environ.get("WORKBOOK_BENCHMARKS")
    if not folder:
        sys.exit("Set WORKBOOK_BENCHMARKS to the folder with the published files.")
    with Path(folder, "truthfulqa", "TruthfulQA.csv").open(encoding="utf-8") as file:
        asked = [row["Question"] for row in csv.DictReader(file)]
    return sorted(asked, key=lambda text: abs(len(tokenizer(text)["input_ids"]) - tokens))[:count]


def timed(function):
    """Returns what a function gives, and the seconds of CPU that it took."""
    start = time.process_time()
    return function(), time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=20, help="of a prompt, without the chat template's")
    parser.add_argument("--new", type=int, default=48, help="tokens of an answer, at most")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = load_model(options.model)
    asked = [[{"role": "user", "content": text}] for text in questions(tokenizer, options.prompts, options.tokens)]
    alone, together, spent = [""] * len(asked), [], {"alone": 0.0, "together": 0.0}
    for turn in range(TURNS):
        some = asked[turn::TURNS]
        answers, seconds = timed(lambda some=some: [reply(model, tokenizer, [one], options.new)[0] for one in some])
        alone[turn::TURNS] = answers
        spent["alone"] += seconds
        answers, seconds = timed(lambda: reply(model, tokenizer, asked, options.new))
        together.append(answers)
        spent["together"] += seconds / TURNS
    assert together[0] == together[1]
    written = sum(len(tokenizer(answer, add_special_tokens=False)["input_ids"]) for answer in together[0])
    same = [one == other for one, other in zip(alone, together[0], strict=True)]
    found = {
        "prompts": len(asked),
        "mean_prompt_tokens": sum(len(tokenizer(one[0]["content"])["input_ids"]) for one in asked) / len(asked),
        "mean_answer_tokens": written / len(asked),
        "tokens_a_second": {way: round(written / seconds, 1) for way, seconds in spent.items()},
        "ratio": round(spent["alone"] / spent["together"], 2),
        "identical": sum(same),
        "different": [
            {"question": asked[i][0]["content"], "alone": alone[i], "together": together[0][i]}
            for i, equal in enumerate(same)
            if not equal
        ],
    }
    print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
