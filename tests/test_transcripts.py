"""A conversation is shown whole and in order, and nothing that is said in it becomes markup or a terminal's command."""

from bs4 import BeautifulSoup

from helpers.publishing.markdown import clean
from helpers.transcripts import Transcript, Transcripts, printable

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who?\n\n  <script>alert(1)</script>"},
    {"role": "assistant", "content": "The miller & son."},
]


def turns(page):
    return [tuple(part.get_text() for part in turn(["dt", "dd"])) for turn in BeautifulSoup(page, "html.parser")("div")]


def test_turns_are_shown_in_order_with_their_roles_in_words_and_their_line_breaks():
    page = Transcript(MESSAGES)._repr_html_()
    assert turns(page) == [(message["role"], message["content"]) for message in MESSAGES]
    assert page.count("white-space: pre-wrap") == 3
    assert turns(clean(page)) == turns(page)  # as a chapter's page shows it
    assert '<section class="transcript">' in clean(page)


def test_nothing_said_becomes_markup():
    told = '"><script>alert(1)</script><img src=x>'
    page = Transcript([{"role": told, "content": told}], note=told, title=told)._repr_html_()
    soup = BeautifulSoup(page, "html.parser")
    assert not soup(["script", "img"])
    assert soup.get_text().count(told) == 4
    assert soup.div["class"] == ["other"]


def test_title_and_note_stand_around_the_conversation():
    shown = Transcript(MESSAGES, note="wrong, expected: the baker", title="Question 3")
    text = BeautifulSoup(shown._repr_html_(), "html.parser").get_text()
    assert text.startswith("Question 3")
    assert text.endswith("wrong, expected: the baker")
    assert "<p" not in Transcript(MESSAGES)._repr_html_()
    assert str(shown) == (
        "Question 3\nsystem:\n  Be brief.\nuser:\n  Who?\n  \n    <script>alert(1)</script>\n"
        "assistant:\n  The miller & son.\n(wrong, expected: the baker)"
    )


def test_several_are_shown_one_below_the_other():
    several = Transcripts([Transcript(MESSAGES[:1]), Transcript(MESSAGES[1:])])
    assert turns(several._repr_html_()) == turns(Transcript(MESSAGES)._repr_html_())
    assert str(several) == "system:\n  Be brief.\n\n" + str(Transcript(MESSAGES[1:]))


def test_a_terminal_is_given_no_commands():
    assert printable("a\x1b[2J\x07b\x9b1m\r\x7f\tc\nd é") == "a[2Jb1m\tc\nd é"
    assert "\x1b" not in str(Transcript([{"role": "user", "content": "\x1b[2J"}], note="\x1b", title="\x1b"))
