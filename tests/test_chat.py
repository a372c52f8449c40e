"""Talking in the terminal: answers alone on stdout, a history that can be forgotten, an end at every kind of end."""

import io
import json

import pytest
from peft import LoraConfig, get_peft_model

from helpers import chat, generation, tokenization
from helpers.cli import main
from helpers.files import WorkbookError
from helpers.models import causal_model, masked_model, save_model
from helpers.pretrained import load_model
from helpers.profiles import load_profile
from helpers.transcripts import printable

PROFILE = load_profile("smoke", vocab_size=320, hidden_size=32, n_head=2, n_layer=2, context=128)


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)


@pytest.fixture(scope="module")
def folder(tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    save_model(causal_model(PROFILE, tokenizer, seed=0), tokenizer, path)
    return path


@pytest.fixture
def talk(folder, monkeypatch, capsys):
    """Talks by lines piped in, and returns what the model said, each answer ended by a line break, and the rest."""

    def talk(lines, *options, model=folder):
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        capsys.readouterr()
        assert main(["chat", str(model), "--max-new-tokens", "8", *options]) == 0
        return capsys.readouterr()

    return talk


@pytest.fixture
def asked(monkeypatch):
    """Answers in place of the model, and remembers what it was asked."""
    seen = []

    def stream(model, tokenizer, messages, max_new_tokens, seed, temperature):
        seen.append([(message["role"], message["content"]) for message in messages])
        yield from ("Answer ", f"{len(seen)}.")

    monkeypatch.setattr(chat, "stream_reply", stream)
    return seen


def test_stdout_holds_the_models_answers_and_nothing_else(folder, talk):
    model, tokenizer = load_model(folder)
    first = [{"role": "user", "content": "Who?"}]
    answers = generation.reply(model, tokenizer, [first], 8)
    second = [*first, {"role": "assistant", "content": answers[0]}, {"role": "user", "content": "Where?"}]
    answers += generation.reply(model, tokenizer, [second], 8)
    said = talk("Who?\n\n   \nWhere?")
    assert said.out == printable("".join(answer + "\n" for answer in answers))
    assert said.err.startswith(f"{folder}, which reads 128 tokens at once. /new forgets")
    assert all(command in said.err for command in ("/system TEXT", "/quit"))


def test_what_was_said_is_remembered_until_it_is_to_be_forgotten(talk, asked):
    said = talk("A?\nB?\n/new\nC?\n/system Be brief.\nD?\n/system\nE?\n/quit\nF?\n")
    a, first, b = ("user", "A?"), ("assistant", "Answer 1."), ("user", "B?")
    brief = ("system", "Be brief.")
    assert asked == [[a], [a, first, b], [("user", "C?")], [brief, ("user", "D?")], [("user", "E?")]]
    assert said.out == "".join(f"Answer {i}.\n" for i in range(1, 6))


def test_the_system_message_may_be_given_at_the_start_and_outlives_new(talk, asked):
    talk("A?\n/new\nB?\n", "--system", "Be brief.")
    assert [messages[0] for messages in asked] == [("system", "Be brief.")] * 2


def test_an_unknown_command_is_told_and_not_asked(talk, asked):
    assert "There is no command /quti. /new forgets" in talk("/quti now\n").err
    assert not asked


def test_draws_repeat_by_seed(talk):
    options = ("--temperature", "1.5", "--seed")
    said = talk("Who?\nWho?\n", *options, "3").out
    assert said == talk("Who?\nWho?\n", *options, "3").out
    assert said != talk("Who?\nWho?\n", *options, "4").out


def test_a_message_too_long_is_told_and_the_talk_goes_on(talk):
    said = talk("1 " * 90 + "\nWho?\n")
    assert "error: The last message is too long" in said.err
    assert said.out == talk("Who?\n").out


def test_ctrl_c_stops_the_answer_and_what_was_written_is_kept(talk, monkeypatch):
    seen = []

    def stream(model, tokenizer, messages, *options):
        seen.append(messages)
        yield "The miller"
        if len(seen) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(chat, "stream_reply", stream)
    said = talk("Who?\nWhere?\n")
    assert said.out == "The miller\nThe miller\n"
    assert "(stopped)" in said.err
    assert seen[1][1] == {"role": "assistant", "content": "The miller"}


class Terminal(io.StringIO):
    """Someone who types, and can press Ctrl-C."""

    def isatty(self):
        return True

    def readline(self, *arguments):
        line = super().readline(*arguments)
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


def test_there_is_a_prompt_for_who_types_and_ctrl_c_at_it_leaves(folder, asked, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Terminal("A?\n^C\nB?\n"))
    assert main(["chat", str(folder)]) == 0
    assert capsys.readouterr().out == "> Answer 1.\n> "
    assert len(asked) == 1


def test_no_command_of_a_terminal_is_passed_on(talk, monkeypatch):
    monkeypatch.setattr(chat, "stream_reply", lambda *arguments: iter(["a\x1b[2J", "\x07\r\n\tb\x9b"]))
    assert talk("Who?\n").out == "a[2J\n\tb\n"


def test_bytes_that_are_no_text_are_asked_as_far_as_they_are(folder, asked, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Wh\xffo?\n"), encoding="utf-8"))
    assert main(["chat", str(folder)]) == 0
    assert asked == [[("user", "Wh\N{REPLACEMENT CHARACTER}o?")]]


@pytest.mark.parametrize("own_tokenizer", [True, False])
def test_an_adapter_answers_with_its_base_model(folder, tokenizer, talk, tmp_path, own_tokenizer):
    config = LoraConfig(target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(load_model(folder)[0], config).eval()
    model.save_pretrained(tmp_path / "adapter")
    if own_tokenizer:
        tokenizer.save_pretrained(tmp_path / "adapter")
    expected = generation.reply(model, tokenizer, [[{"role": "user", "content": "Who?"}]], 8)[0]
    assert talk("Who?\n", model=tmp_path / "adapter").out == printable(expected) + "\n"
    assert talk("Who?\n").out != printable(expected) + "\n"


def test_a_model_without_chat_template_is_talked_with_by_a_plain_one(folder, tmp_path, talk):
    model, tokenizer = load_model(folder)
    tokenizer.chat_template = None
    save_model(model, tokenizer, tmp_path / "plain")
    assert talk("Who?\n", model=tmp_path / "plain").out.endswith("\n")
    assert chat.load_chat_model(str(tmp_path / "plain"))[1].chat_template == tokenization.PLAIN_TEMPLATE


def test_where_there_is_no_model_that_writes_is_told(folder, tokenizer, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    masked = masked_model(PROFILE, tokenizer, seed=0)
    save_model(masked, tokenizer, tmp_path / "masked")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "adapter_config.json").write_text("{")
    (tmp_path / "based").mkdir()
    (tmp_path / "based" / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(tmp_path / "empty")})
    )
    for name, reason in {
        "empty": "no model could be loaded",
        "masked": "this model does not generate text",
        "broken": "adapter_config.json, line 1: not valid JSON",
        "based": "empty: no model could be loaded",
        "nowhere": "there is no such folder",
    }.items():
        assert main(["chat", str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert said.err.splitlines()[-1].startswith("error: ")
        assert reason in said.err
        assert "Traceback" not in said.err
        assert said.out == ""
    with pytest.raises(WorkbookError, match=r"nowhere: there is no such folder.*owner/name"):
        chat.load_chat_model("nowhere")
