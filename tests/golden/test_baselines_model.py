import numpy as np
import pytest
from rival_models import rival_model
from sparse_layers import layer_of


class ScriptedWalk:
    """A core that answers what it was told to, and remembers what it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def vector(self, arrived, output_free):
        self.asked.append((arrived, output_free))
        return self.answer(len(self.asked) - 1)


@pytest.fixture
def scripted(monkeypatch):
    """Return a model of 4 columns, 2 a beat, and 3 rows, whose core gives scripted answers."""

    def model_of(answer):
        layer = layer_of([[1, 2, 3, 0], [0, 0, 0, 0], [0, 4, 0, 0]])
        model = rival_model("csr", layer, multipliers=2, beat=2)
        walk = ScriptedWalk(answer)
        monkeypatch.setattr(model, "walk", lambda: walk)
        return model, walk

    return model_of


def test_both_streams_around_a_core_by_hand(scripted):
    answers = [(40, 20), (50, 21), (30, 60), (90, 62), (95, 70)]
    model, walk = scripted(answers.__getitem__)
    transfers = model.timeline(5)
    # Two vectors fit the input buffer: the third enters once the first was released, the fourth
    # after the second, the fifth behind the fourth, for the third was released before.
    assert transfers.inputs.tolist() == [[0, 1], [2, 3], [40, 41], [50, 51], [52, 53]]
    # Eleven clocks from a sum taken to the stream, where a vector waits for the one before.
    assert transfers.outputs.tolist() == [
        [31, 32, 33],
        [34, 35, 36],
        [71, 72, 73],
        [74, 75, 76],
        [81, 82, 83],
    ]
    # Two clocks from the last beat; half the output buffer is free behind the last word of the
    # vector two before.
    assert walk.asked == [(3, 0), (5, 0), (43, 34), (53, 37), (55, 74)]


@pytest.mark.parametrize(
    ("vectors", "half"), [(None, 8), (1, 8), (2, 8), (3, 9), (4, 8), (5, 10), (8, 8), (11, 11)]
)
def test_the_interval_is_a_mean_over_the_later_half_of_sixteen_vectors_or_more(
    scripted, vectors, half
):
    model, walk = scripted(lambda v: (0, 10 * v * v))
    outcome = model.outcome(None if vectors is None else np.ones((vectors, 4), dtype=int))
    assert len(walk.asked) == 2 * half
    assert outcome.latency == 11 + 3
    # Vectors 2 * half - 1 and half - 1 are `half` apart and 10 * half * (3 * half - 2) clocks.
    assert outcome.interval == 10 * (3 * half - 2)
