"""Makes sounds.json: what libsndfile, SciPy and librosa give for small WAV files.

    pip install librosa==0.11.0 numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0
    python make_sound_golden.py > sounds.json

A case is a WAV file (base64), steps as the pipeline's specification has them, and what comes out of them, in float64. librosa is given float64
and mel weights of float64, so that only the order of sums is another than ours.
"""
import base64
import io
import json
import platform
from math import gcd

import librosa
import numpy as np
import scipy
import scipy.signal
import soundfile

cases = []


def tone(rate, seconds, channels=1):
    """A chirp with noise in one channel, a fading tone in the other."""
    random = np.random.default_rng(7)
    time = np.arange(round(rate * seconds)) / rate
    chirp = 0.5 * np.sin(2 * np.pi * (200 + 3000 * time) * time) + 0.02 * random.standard_normal(len(time))
    fading = 0.8 * np.sin(2 * np.pi * 440 * time) * np.exp(-5 * time)
    return np.stack([chirp, fading], -1)[:, :channels]


def wav(samples, rate, subtype="PCM_16", format="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=format)
    return file.getvalue()


def load(content, rate_hz, seconds):
    samples, rate = soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
    mono = librosa.to_mono(samples.T)
    up, down = rate_hz // gcd(rate, rate_hz), rate // gcd(rate, rate_hz)
    resampled = mono if rate == rate_hz else scipy.signal.resample_poly(mono, up, down)
    if rate != rate_hz:
        again = librosa.resample(mono, orig_sr=rate, target_sr=rate_hz, res_type="polyphase")
        np.testing.assert_allclose(again, resampled, rtol=0, atol=1e-12)
    return librosa.util.fix_length(resampled, size=round(rate_hz * seconds))


def log_mel(samples, rate, *, fft_size=2048, hop=None, window=None, mels=128, minimum_hz=0.0, maximum_hz=None, range_decibels=80.0):
    power = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=fft_size, hop_length=hop or fft_size // 4, win_length=window,
        n_mels=mels, fmin=minimum_hz, fmax=maximum_hz, dtype=np.float64,
    )  # fmt: skip
    return librosa.power_to_db(power, top_db=range_decibels)


def camel(name):
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


LOG_MEL = ("fft_size", "hop", "window", "mels", "minimum_hz", "maximum_hz", "range_decibels")
STATISTICS = {"mean": np.mean, "deviation": np.std, "minimum": np.min, "maximum": np.max, "median": np.median}


def add(name, content, rate_hz, seconds, *, mel=None, mfcc=None, pool=None):
    steps = [{"kind": "decodeSound", "rateHz": rate_hz, "seconds": seconds}]
    values = load(content, rate_hz, seconds)
    if mel is not None:
        steps.append({"kind": "logMel", **{camel(key): mel.get(key) for key in LOG_MEL}})
        values = log_mel(values, rate_hz, **mel)
    if mfcc is not None:
        steps.append({"kind": "mfcc", "coefficients": mfcc.get("coefficients"), "lifter": mfcc.get("lifter")})
        values = librosa.feature.mfcc(S=values, n_mfcc=mfcc.get("coefficients", 20), lifter=mfcc.get("lifter", 0))
    if pool is not None:
        steps.append({"kind": "poolTime", "statistics": pool})
        pooled = [STATISTICS[statistic](np.atleast_2d(values), axis=1) for statistic in pool]
        expected = np.concatenate(pooled)
    else:
        expected = np.ravel(values.T)
    values = [float(f"{value:.12g}") for value in expected]
    cases.append({"name": name, "steps": steps, "file": base64.b64encode(content).decode(), "values": values})


for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"):
    add(f"{subtype}, two channels", wav(tone(8000, 0.01, 2), 8000, subtype), 8000, 0.01)
add("WAVE_FORMAT_EXTENSIBLE", wav(tone(8000, 0.01, 2), 8000, "PCM_24", "WAVEX"), 8000, 0.01)
add("cut off and mono", wav(tone(8000, 0.02, 2), 8000), 8000, 0.01)
add("followed by silence", wav(tone(8000, 0.01), 8000), 8000, 0.015)
for source, target in ((44100, 16000), (8000, 22050), (11025, 8000), (16000, 8000), (48000, 44100), (8001, 8000)):
    add(f"{source} to {target} Hz", wav(tone(source, 0.02), source), target, 0.02)
add("resampled and cut off", wav(tone(44100, 0.05), 44100), 16000, 0.02)
add("resampled and followed by silence", wav(tone(44100, 0.01), 44100), 16000, 0.02)

speech = {"fft_size": 512, "hop": 160, "window": 400, "mels": 40, "minimum_hz": 20.0, "maximum_hz": 7600.0}
short = wav(tone(16000, 0.06), 16000)
add("spectrogram as librosa has it by default", wav(tone(22050, 0.08), 22050), 22050, 0.08, mel={})
add("spectrogram as it is used for speech", short, 16000, 0.06, mel=speech)
add("spectrogram of a small range", short, 16000, 0.06, mel={**speech, "range_decibels": 20.0})
add("spectrogram of an odd window", short, 16000, 0.06, mel={"fft_size": 256, "hop": 100, "window": 201, "mels": 20})
add("spectrogram of silence after a sound", wav(tone(8000, 0.02), 8000), 8000, 0.1, mel={"fft_size": 128, "mels": 16})
add("MFCC as librosa has it by default", wav(tone(22050, 0.08), 22050), 22050, 0.08, mel={}, mfcc={})
add("MFCC, lifted", short, 16000, 0.06, mel=speech, mfcc={"coefficients": 13, "lifter": 22})
add("pooled spectrogram", short, 16000, 0.06, mel=speech, pool=list(STATISTICS))
add("pooled MFCC", short, 16000, 0.05, mel=speech, mfcc={"coefficients": 13}, pool=list(STATISTICS))
add("pooled samples", short, 16000, 0.06, pool=list(STATISTICS))

versions = {"python": platform.python_version(), "librosa": librosa.__version__, "numpy": np.__version__, "scipy": scipy.__version__, "soundfile": soundfile.__version__}
print(json.dumps({**versions, "cases": cases}, separators=(",", ":")))
