"""The analyzer: identifiers, words, trigrams and the fingerprint."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_core.engine import analyzer


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("getUserName", ("get", "user", "name")),
        ("get_user_name", ("get", "user", "name")),
        ("HTTPServer2", ("http", "server", "2")),
        ("XMLHttpRequest", ("xml", "http", "request")),
        ("__init__", ("init",)),
        ("$scope", ("scope",)),
        ("MAX_ITEMS", ("max", "items")),
        ("utf8", ("utf", "8")),
        ("naïve", ("na", "ï", "ve")),
        ("日本語", ("日本語",)),
        ("_", ()),
    ],
)
def test_split_identifier(name, expected):
    """An identifier splits at case changes, underscores and digits."""
    assert analyzer.split_identifier(name) == expected


def test_words_are_stemmed_and_split():
    """Words come stemmed, and identifiers come in parts."""
    assert analyzer.words("runningTasks = parse_studies()") == ["run", "task", "pars", "studi"]


def test_identifiers_keep_case_and_add_dollar_parts():
    """Identifiers keep their case, and one with a dollar is found without it too."""
    assert analyzer.identifiers("fooBar $scope a$b #priv") == ["fooBar", "$scope", "scope", "a$b", "a", "b", "priv"]


def test_overlong_tokens_are_cut():
    """A token is never longer than the limit, so that a minified blob cannot break the index."""
    assert all(len(token) <= analyzer.MAX_TOKEN_CHARS for token in analyzer.identifiers("x" * 5000))
    assert all(len(token) <= analyzer.MAX_TOKEN_CHARS for token in analyzer.words("x" * 5000))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_token_holds_an_ascii_blank(text):
    """Tokens joined by blanks come apart again as they were, as tantivy splits at ASCII blanks."""
    blanks = set(" \t\n\r\x0b\x0c")
    for tokens in (analyzer.trigrams(text), analyzer.identifiers(text), analyzer.words(text)):
        assert not any(blanks & set(token) for token in tokens)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_trigrams_cover_the_folded_text(text):
    """The n-th trigram is the text from n to n+3, so positions are offsets."""
    folded = analyzer.fold(text)
    grams = analyzer.trigrams(text)
    assert len(grams) == max(0, len(folded) - 2)
    assert all(folded[at : at + 3] == gram for at, gram in enumerate(grams))


def test_fingerprint_follows_behaviour(monkeypatch):
    """The fingerprint changes when a text is cut otherwise, even if nobody raises the version."""
    before = analyzer.fingerprint()
    assert before.startswith("sha256:")
    monkeypatch.setattr(analyzer, "words", lambda text: text.split())
    assert analyzer.fingerprint.__wrapped__() != before
