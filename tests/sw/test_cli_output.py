import pytest
from cli_runner import refused

COMMANDS = {
    "export": ["export", "m.pt2", "--calibration", "x.npy", "-o"],
    "generate": ["generate", "image", "-o"],
    "demo": ["demo", "--out"],
}


@pytest.mark.parametrize("output", [".", "..", "../here"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_directory_one_is_in_is_not_replaced(tmp_path, monkeypatch, command, output):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert refused(*COMMANDS[command], output) == (
        f"output must be another directory than the one you are in or one above it, not {output!r}"
    )
