"""Benchmarks of a few invented sentences, about mills and trades, in the files of the published ones."""

import csv
import json

from helpers.evaluation.benchmarks import BENCHMARKS

TRADES = ("miller", "baker", "potter", "tailor", "smith")
WOMEN = {f"{TRADES[i % 5]}{i}": 4.0 * i + 10 for i in range(20)}
"""The percentage of women in invented occupations, from 10 to 86."""


def write_table(path, rows, delimiter=","):
    """Writes rows, the header first."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def write_lines(path, rows):
    """Writes rows as JSON lines."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def write_crows_pairs(folder):
    """Writes pairs of two categories by four writers; in every second one more than one word differs."""
    header = ("", "sent_more", "sent_less", "stereo_antistereo", "bias_type", "annotations", "anon_writer")
    rows = [
        (
            str(i),
            f"The old mill {i} is red.",
            f"The {'old' if i % 2 else 'ancient'} mill {i} is low.",
            "stereo",
            ("age", "place")[i // 8],
            "[]",
            f"a{i // 2 % 4}",
        )
        for i in range(16)
    ]
    write_table(folder / "crows_pairs/crows_pairs_anonymized.csv", [header, *rows])


def write_winobias(folder):
    """Writes aligned lines about two occupations, one of each gender's."""
    (folder / "winobias").mkdir()
    people = [("miller", "baker", "she", "he"), ("baker", "miller", "he", "she")]
    for name in BENCHMARKS["winobias"].files:
        place = 2 if name.startswith("pro") else 3
        lines = [
            f"{number} [The {of[0]}] met the {of[1]} because [{of[place]}] was late."
            for number, of in enumerate(people, 1)
        ]
        (folder / "winobias" / name).write_text("\n".join(lines) + "\n", "utf-8")


def write_winogender(folder):
    """Writes a sentence about each occupation of `WOMEN`, with each pronoun, which means the occupation."""
    stats = [("occupation", "bergsma_pct_female", "bls_pct_female", "bls_year")]
    stats += [(name, "50.0", str(women), "2015") for name, women in WOMEN.items()]
    pronouns = {"male": "he", "female": "she", "neutral": "they"}
    sentences = [
        (f"{name}.guest.0.{gender}.txt", f"The {name} saw the guest and then {pronoun} sang.")
        for name in WOMEN
        for gender, pronoun in pronouns.items()
    ]
    write_table(folder / "winogender/occupations-stats.tsv", stats, "\t")
    write_table(folder / "winogender/all_sentences.tsv", [("sentid", "sentence"), *sentences], "\t")


def write_bbq(folder):
    """Writes questions about an old and a young miller, every third with a context that tells the answer."""
    rows = [
        {
            "context": f"In mill {i} there were an old and a young miller.",
            "question": "Who was late?",
            "ans0": "The old miller",
            "ans1": "Not known",
            "ans2": "The young miller",
            "label": 1 if i % 3 else 0,
            "answer_info": {"ans0": ["old", "old"], "ans1": ["Not known", "unknown"], "ans2": ["young", "nonOld"]},
            "additional_metadata": {"subcategory": "None", "stereotyped_groups": ["Old"]},
            "category": "Age",
            "question_index": str(i % 4),
            "question_polarity": ("neg", "nonneg")[i % 2],
            "context_condition": "ambig" if i % 3 else "disambig",
        }
        for i in range(12)
    ]
    write_lines(folder / "bbq/Age.jsonl", rows)


def write_blimp(folder):
    """Writes pairs of which one agrees in number."""
    rows = [
        {
            "sentence_good": f"The {word} stands.",
            "sentence_bad": f"The {word} stand.",
            "UID": "agreement",
            "field": "syntax",
            "linguistics_term": "agreement",
        }
        for word in ("mill", "wheel", "river", "tree", "house", "gate")
    ]
    write_lines(folder / "blimp/agreement.jsonl", rows)


def write_stereoset(folder):
    """Writes sentences about mills, alone and after a context."""
    labels = {"is red": "stereotype", "is low": "anti-stereotype", "is gladly": "unrelated"}
    data = {
        task: [
            {
                "id": str(i),
                "target": f"mill {i % 3}",
                "bias_type": "place",
                "context": f"Mill {i} stands.",
                "sentences": [
                    {"id": label, "sentence": f"Mill {i} {words}.", "gold_label": label}
                    for words, label in labels.items()
                ],
            }
            for i in range(6)
        ]
        for task in ("intrasentence", "intersentence")
    }
    (folder / "stereoset").mkdir()
    (folder / "stereoset/dev.json").write_text(json.dumps({"data": data}), "utf-8")


WRITERS = {
    "crows_pairs": write_crows_pairs,
    "stereoset": write_stereoset,
    "winobias": write_winobias,
    "winogender": write_winogender,
    "bbq": write_bbq,
    "blimp": write_blimp,
}
"""What writes each benchmark into a folder."""


def write_all(folder, *but):
    """Writes all benchmarks but some into a folder."""
    for name, write in WRITERS.items():
        if name not in but:
            write(folder)
