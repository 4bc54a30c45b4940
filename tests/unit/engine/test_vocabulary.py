"""Which words of an index's names a word of a question may stand for."""

from hypothesis import given
from hypothesis import strategies as st

from lens_core.engine.analyzer import stem
from lens_core.engine.vocabulary import Vocabulary

STEMS = st.text("abc", min_size=1, max_size=7)


def test_kin_continue_one_another():
    """A longer word of a name and a shorter one are found, the nearest in length first; others are not."""
    vocabulary = Vocabulary(["load_config", "config_dir", "confirm", "reconfigure", "Con"])
    assert vocabulary.kin("configur") == ("config", "con")
    assert Vocabulary(["normalizer_of", "norm"]).kin("normal") == ("norm",)
    assert Vocabulary(["serializable"]).kin("serial") == (stem("serializable"),)


def test_short_words_have_no_kin():
    """Words below three letters stand for themselves, and three letters are no beginning of others."""
    assert Vocabulary(["id_identifier", "setter"]).kin("identifi") == ()
    assert Vocabulary(["setup"]).kin("set") == ()


def test_joined_words_are_words_of_names():
    """Two successive words are joined only when a name has the result."""
    vocabulary = Vocabulary(["read_filename", "database"])
    assert vocabulary.joined(["the", "file", "name", "of", "data", "base"]) == (stem("filename"), stem("database"))
    assert vocabulary.joined(["name", "file"]) == ()
    assert vocabulary.joined([]) == ()


@given(st.lists(STEMS), STEMS)
def test_kin_are_bounded_known_and_never_the_word_itself(names, word):
    """At most eight distinct words, each the beginning of the other, in an order that no set decides."""
    vocabulary = Vocabulary(names)
    kin = vocabulary.kin(word)
    assert len(kin) == len(set(kin)) <= 8
    assert word not in kin
    assert all(other.startswith(word) or word.startswith(other) for other in kin)
    assert kin == Vocabulary(reversed(names)).kin(word)
