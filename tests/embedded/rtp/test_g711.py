# SPDX-License-Identifier: Apache-2.0
"""G.711 tables against Python's reference implementation and against themselves."""

from array import array

import pytest

from engine.embedded.rtp.g711 import Law, decode, encode, interleave, law_of, mix, transcode

ALL_SAMPLES = array("h", range(-32768, 32768))
ALL_CODES = bytes(range(256))


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated")
@pytest.mark.parametrize("law", Law)
def test_every_sample_and_code_is_as_the_reference_says(law: Law) -> None:
    audioop = pytest.importorskip("audioop")
    encoder, decoder = (
        (audioop.lin2alaw, audioop.alaw2lin) if law is Law.PCMA else (audioop.lin2ulaw, audioop.ulaw2lin)
    )
    assert encode(ALL_SAMPLES, law) == encoder(ALL_SAMPLES.tobytes(), 2)
    assert decode(ALL_CODES, law) == decoder(ALL_CODES, 2)


@pytest.mark.parametrize("law", Law)
def test_a_decoded_code_encodes_to_the_same_sound(law: Law) -> None:
    samples = array("h", decode(ALL_CODES, law))
    assert array("h", decode(encode(samples, law), law)) == samples


@pytest.mark.parametrize("law", Law)
def test_the_error_is_a_sixteenth_of_the_level_at_most(law: Law) -> None:
    back = array("h", decode(encode(ALL_SAMPLES, law), law))
    assert all(abs(a - b) <= max(16, abs(a) / 16) for a, b in zip(ALL_SAMPLES, back, strict=True))


def test_translation_between_the_laws_keeps_the_level() -> None:
    for source, target in ((Law.PCMA, Law.PCMU), (Law.PCMU, Law.PCMA)):
        before = array("h", decode(ALL_CODES, source))
        after = array("h", decode(transcode(ALL_CODES, source, target), target))
        assert all(abs(a - b) <= max(16, abs(a) / 16) for a, b in zip(before, after, strict=True))
        assert transcode(ALL_CODES, source, source) == ALL_CODES


@pytest.mark.parametrize("law", Law)
def test_silence_is_nearly_zero(law: Law) -> None:
    assert abs(law.samples[law.silence[0]]) <= 8


def test_stereo_is_left_first() -> None:
    left, right = encode(array("h", [1000, 2000]), Law.PCMA), encode(array("h", [-3000, -4000]), Law.PCMA)
    pcm = array("h", interleave(left, right, Law.PCMA))
    assert pcm[0::2] == array("h", decode(left, Law.PCMA))
    assert pcm[1::2] == array("h", decode(right, Law.PCMA))


@pytest.mark.parametrize("law", Law)
def test_a_mix_is_the_clipped_sum(law: Law) -> None:
    left = bytes(a for a in range(256) for _ in range(256))
    right = ALL_CODES * 256
    expected = [
        max(-32768, min(32767, a + b))
        for a, b in zip(array("h", decode(left, law)), array("h", decode(right, law)), strict=True)
    ]
    assert array("h", mix(left, right, law)).tolist() == expected


def test_other_payload_types_are_refused() -> None:
    assert law_of(0) is Law.PCMU
    assert law_of(8) is Law.PCMA
    with pytest.raises(ValueError, match="9"):
        law_of(9)
