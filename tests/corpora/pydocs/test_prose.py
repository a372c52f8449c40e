from inspect import cleandoc

import pytest

from helpers.corpora.pydocs.prose import BLOCK_KINDS, reads_as_sentences, simplify, split_blocks

NUMPYDOC = """
    Smooth a signal with a moving window.

    The window is slid over the signal and the mean
    of what it covers is taken.

    Parameters
    ----------
    x : array_like, shape (n,)
        The signal to be smoothed. It must not be empty.
    width : int, optional
        window width

    Notes
    -----
    See the table for what is done at the ends:

    ======  =================
    mode    what it does
    ======  =================
    'same'  Keeps the length of the signal.
    ======  =================

    Examples
    --------
    >>> smooth([1, 2, 3])
    array([1.5, 2. , 2.5])

    Use it like this::

        y = smooth(x)
        The line is code. It reads as a sentence of the text.

    Afterwards the result is a new array.
    """

GOOGLE = """Draws samples from the model.

    Args:
        n (`int`, *optional*): How many samples are drawn at once. More of them
            need more memory.
        seed (int): seed
    Returns:
        The samples, in the order in which they were drawn.

    ```python
    This is code although it reads as a sentence of the text.
    ```
    """

SPHINX = """Opens the file for the reader.

    :param path: The place where the file is found.
    :type path: str
    :returns: an object
    """


def texts(docstring, kind):
    return [block.text for block in split_blocks(cleandoc(docstring)) if block.kind == kind]


def test_numpydoc_prose_is_told_from_tables_doctests_code_and_parameters():
    assert texts(NUMPYDOC, "prose") == [
        "Smooth a signal with a moving window.",
        "The window is slid over the signal and the mean of what it covers is taken.",
        "The signal to be smoothed. It must not be empty.",
        "See the table for what is done at the ends:",
        "Use it like this:",
        "Afterwards the result is a new array.",
    ]
    assert texts(NUMPYDOC, "parameters") == ["x : array_like, shape (n,)", "width : int, optional"]
    assert [table.split()[0] for table in texts(NUMPYDOC, "tables")] == ["======"]
    assert len(texts(NUMPYDOC, "code")) == 2


def test_google_descriptions_are_prose_and_names_are_not():
    assert texts(GOOGLE, "prose") == [
        "Draws samples from the model.",
        "How many samples are drawn at once. More of them need more memory.",
        "The samples, in the order in which they were drawn.",
    ]
    assert "n (`int`, *optional*):" in texts(GOOGLE, "parameters")


def test_sphinx_descriptions_are_prose_and_fields_are_not():
    assert texts(SPHINX, "prose") == ["Opens the file for the reader.", "The place where the file is found."]


@pytest.mark.parametrize("docstring", [NUMPYDOC, GOOGLE, SPHINX])
def test_no_word_is_lost(docstring):
    blocks = split_blocks(cleandoc(docstring))
    assert {block.kind for block in blocks} <= set(BLOCK_KINDS)
    kept = " ".join(block.text for block in blocks).split()
    assert [word.strip(":") for word in kept] == [word.strip(":") for word in docstring.split()]


def test_words_of_a_note_are_prose_and_those_of_a_formula_are_not():
    docstring = """Title

    .. note::
        The order of the rows is kept as it was.

    .. math::
        The sum of x is not of interest.
    """
    assert texts(docstring, "prose") == ["The order of the rows is kept as it was."]
    assert len(texts(docstring, "code")) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Return the sum of the values.", True),
        ("`x` is taken as it is.", True),
        ("Is it the last of them?", True),
        ("return the sum of the values.", False),  # begins inside a sentence
        ("Return the sum of the values", False),  # does not end
        ("array([1.5, 2. , 2.5]).", False),
        ("Matplotlib Axes Figure Legend Colorbar Patch Spine Tick.", False),  # no function words
        ("X = A @ B + C * (D - 1) / 2 is the.", False),  # too few letters
    ],
)
def test_what_reads_as_sentences(text, expected):
    assert reads_as_sentences(text) is expected


def test_markup_is_simplified():
    text = "See :func:`~a.b`,  :class:`X <y.X>`, `the page <http://a.b>`_ and ``code`` [1]_."
    assert simplify(text) == "See `a.b`, `X`, the page and `code` [1]."


@pytest.mark.parametrize(
    "docstring", ["", "\n\n", "::", ">>>", "```", "====", "==== ====", ".. x::", "- ", "|a|", "Args:"]
)
def test_fragments_are_read_without_complaint(docstring):
    assert all(block.kind != "prose" for block in split_blocks(docstring))
