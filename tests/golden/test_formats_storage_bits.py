import pytest

from darb.golden.formats import StorageBits


def test_sums():
    first = StorageBits(values=8, indices=4, pointers=2, padding=1)
    second = StorageBits(values=100, indices=200, pointers=300, padding=400)
    assert first + second == StorageBits(values=108, indices=204, pointers=302, padding=401)
    assert first.total == 15
    assert first.overhead == 7


def test_only_storage_is_added():
    with pytest.raises(TypeError, match="unsupported operand"):
        StorageBits(values=1, indices=0, pointers=0, padding=0) + 1


@pytest.mark.parametrize("name", ["values", "indices", "pointers", "padding"])
@pytest.mark.parametrize(
    ("bits", "error", "text"),
    [
        (-1, ValueError, "must be at least 0, not -1"),
        (1.0, TypeError, "must be an int, not 1.0"),
        (True, TypeError, "must be an int, not True"),
    ],
)
def test_refused(name, bits, error, text):
    fields = {"values": 0, "indices": 0, "pointers": 0, "padding": 0, name: bits}
    with pytest.raises(error) as caught:
        StorageBits(**fields)
    assert str(caught.value) == f"storage {name} {text}"
