"""Spoken digits: their features, their split, and files that are refused."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from darb.sw.datasets import spoken_digits
from darb.sw.datasets.log_mel import log_mel

TAKES = (0, 4, 5, 20, 44, 45, 49)


def recordings():
    """Return a made file's arrays: a tone of its own for each digit, longer at later takes."""
    generator = np.random.default_rng(0)
    rows = [(digit, take) for digit in range(10) for take in TAKES]
    audio = [
        8000 * np.sin(2 * np.pi * (300 + 300 * digit) / 8000 * np.arange(1000 + 100 * take))
        for digit, take in rows
    ]
    audio = [sound + generator.normal(0, 50, size=len(sound)) for sound in audio]
    return {
        "audio": np.concatenate(audio).astype(np.int16),
        "length": np.array([len(sound) for sound in audio], dtype=np.int32),
        "digit": np.array([digit for digit, _ in rows], dtype=np.uint8),
        "take": np.array([take for _, take in rows], dtype=np.uint8),
    }


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "spoken.npz", **recordings())
    return tmp_path / "spoken.npz"


def test_takes_part_the_recordings(path):
    data = spoken_digits(path, frames=20)
    assert (data.name, data.shape, data.classes) == ("spoken-digits", (20, 40), 10)
    counts = [np.bincount(y).tolist() for y in (data.train_y, data.validation_y, data.test_y)]
    assert counts == [[3] * 10, [2] * 10, [2] * 10]
    assert len(set(data.train_y[:10].tolist())) > 3
    again = spoken_digits(path, frames=20)
    assert (again.train_x == data.train_x).all()
    assert (again.train_y == data.train_y).all()
    # Noise makes every recording its own, so rows tell parts apart.
    rows = np.concatenate([data.train_x, data.validation_x, data.test_x])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_bands_are_normalised_over_the_training_part(path):
    data = spoken_digits(path, frames=20)
    assert np.abs(data.train_x.mean(axis=(0, 1))).max() < 1e-4
    assert np.abs(data.train_x.std(axis=(0, 1)) - 1).max() < 1e-4
    assert np.abs(data.test_x.mean(axis=(0, 1))).max() > 1e-2


def test_higher_tones_are_in_higher_bands(path):
    data = spoken_digits(path, frames=8)
    last = data.train_x[:, -1].argmax(axis=1)
    assert np.unique(last).size >= 9
    loudest = [int(np.median(last[data.train_y == digit])) for digit in range(10)]
    assert loudest == sorted(loudest)


def test_recordings_end_with_the_last_frame():
    short, long = np.zeros(400, dtype=np.float32), np.zeros(4000, dtype=np.float32)
    noise = np.random.default_rng(3).normal(0, 0.1, size=256).astype(np.float32)
    short[-256:], long[-256:], long[:256] = noise, noise, noise
    features = log_mel([short, long], rate=8000, hop=80, frames=10)
    assert features.shape == (2, 10, 40)
    assert features.dtype == np.float32
    # The first is padded before it begins, the beginning of the second is cut.
    assert np.abs(features[0] - features[1]).max() < 1e-5
    assert (features[0, :3] == features[0, 0]).all()
    assert features[0, -1].max() > features[0, 0].max() + 5


def test_features_are_the_powers_of_windowed_spectra():
    generator = np.random.default_rng(1)
    sound = generator.normal(0, 0.1, size=256 + 3 * 128).astype(np.float32)
    from librosa.filters import mel

    window = np.zeros(256)
    window[28:228] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    frames = np.stack([sound[start : start + 256] for start in range(0, 4 * 128, 128)])
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    expected = np.log(power @ mel(sr=8000, n_fft=256, n_mels=40).T + 1e-6)
    found = log_mel([sound], rate=8000, hop=128, frames=4)[0]
    assert np.abs(found - expected).max() < 1e-4


def test_many_recordings_are_taken_a_part_at_a_time(monkeypatch):
    generator = np.random.default_rng(2)
    sounds = [generator.normal(0, 0.1, size=900).astype(np.float32) for _ in range(7)]
    whole = log_mel(sounds, rate=8000, hop=128, frames=5)
    monkeypatch.setattr("darb.sw.datasets.log_mel._AT_ONCE", 3)
    parts = log_mel(sounds, rate=8000, hop=128, frames=5)
    assert parts.shape == whole.shape
    assert np.abs(parts - whole).max() < 1e-5


def test_a_band_without_sound_stays_zero(tmp_path):
    arrays = recordings()
    arrays["audio"][:] = 0
    np.savez(tmp_path / "silent.npz", **arrays)
    assert not spoken_digits(tmp_path / "silent.npz", frames=4).train_x.any()


def test_missing_library_is_named_with_its_extra():
    program = (
        "import sys; sys.modules['librosa'] = None; import numpy as np; "
        "from darb.sw.datasets.log_mel import log_mel; "
        "log_mel([np.zeros(9, dtype=np.float32)], rate=8000, hop=80, frames=1)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: librosa must be installed for log-mel features: "
        "pip install 'darb[audio]'"
    )


def test_datasets_are_imported_without_librosa():
    program = "import sys, darb.sw.datasets; print('librosa' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n"


def without(name):
    return {key: array for key, array in recordings().items() if key != name}


def changed(name, change):
    return {**recordings(), name: change(recordings()[name])}


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (
            without("take"),
            "must hold audio, length, digit, take, not only 'audio, length, digit'",
        ),
        (
            changed("audio", lambda a: a.astype(np.float32)),
            "audio must be int16 along one axis, not float32 of shape (237000,)",
        ),
        (
            changed("digit", lambda a: a[:, None]),
            "digit must be integers along one axis, not uint8 of shape (70, 1)",
        ),
        (
            changed("digit", lambda a: a[1:]),
            "digit must be there for each of the 70 recordings, not for 69",
        ),
        (changed("digit", lambda a: a + 1), "digit must be in 0..9, not 10"),
        (changed("take", lambda a: a.astype(np.int8) - 1), "take must be in 0..49, not -1"),
        (
            changed("take", lambda a: np.minimum(a, 44)),
            "take must be in 45..49 for some recordings, not for 0",
        ),
        (changed("length", lambda a: a - a[0]), "length must be at least 1, not 0"),
        (
            changed("audio", lambda a: a[:-1]),
            "audio must have the 237000 samples that lengths add up to, not 236999",
        ),
    ],
)
def test_bad_arrays_are_named_with_their_rule(tmp_path, arrays, text):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {text}')}$"):
        spoken_digits(path)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, **{**recordings(), "digit": np.array([print], dtype=object)})
    text = f"{path}: must be a whole .npz file of numbers (Object arrays cannot be loaded"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        spoken_digits(path)


@pytest.mark.parametrize("size", [0, 1000, -1])
def test_truncated_file_is_named(path, size):
    path.write_bytes(path.read_bytes()[:size])
    text = f"{path}: must be a whole .npz file of numbers ("
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        spoken_digits(path)


def test_damaged_file_is_named(path):
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    text = f"{path}: must be a whole .npz file of numbers (Bad CRC-32"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        spoken_digits(path)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda p: spoken_digits(3), TypeError, "path must be a path, not 3"),
        (lambda p: spoken_digits(p, frames=0), ValueError, "frames must be at least 1, not 0"),
        (lambda p: spoken_digits(p, hop=1.5), TypeError, "hop must be an int, not 1.5"),
    ],
)
def test_refused(path, call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call(path)


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "nothing.npz"
    text = f"{path} must be a file of recordings"
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(text)}$"):
        spoken_digits(path)


@pytest.mark.fsdd
def test_real_recordings():
    data = spoken_digits(os.environ["DARB_FSDD"])
    counts = [np.bincount(y).tolist() for y in (data.train_y, data.validation_y, data.test_y)]
    assert counts == [[240] * 10, [30] * 10, [30] * 10]
