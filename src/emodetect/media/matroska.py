"""Matroska (RFC 9559) for pictures with times on FFmpeg's standard input; only the parts that this needs.

FFmpeg's raw video format has no times. A clip with a variable rate would get a constant one and drift from its sound.
"""

from __future__ import annotations

from fractions import Fraction

_UNKNOWN_SIZE = b"\x01" + 7 * b"\xff"


def head(size: tuple[int, int], frames_per_second: Fraction) -> bytes:
    """Header of the file, before the first picture.

    Args:
        size: width and height of every picture, pixels.
        frames_per_second: average frame rate.
    """
    width, height = size
    video = _number("B0", width) + _number("BA", height) + _element("2EB524", b"BGR\x18")  # the pixels' FourCC: 24 bits
    track = _number("D7", 1) + _number("73C5", 1) + _number("83", 1) + _number("9C", 0)  # number, UID, is video, no lacing
    track += _number("23E383", round(10**9 / frames_per_second)) + _element("86", b"V_UNCOMPRESSED") + _element("E0", video)
    file = _element("1A45DFA3", _element("4282", b"matroska") + _number("4287", 4) + _number("4285", 2))
    info = _element("1549A966", _number("2AD7B1", 1000))  # times are in microseconds
    return file + bytes.fromhex("18538067") + _UNKNOWN_SIZE + info + _element("1654AE6B", _element("AE", track))


def picture_head(length: int, timestamp: float) -> bytes:
    """Header of a picture.

    Args:
        length: length of the picture, bytes; uint8 (height, width, 3) BGR.
        timestamp: timestamp of the picture, seconds.
    """
    block = b"\x81\x00\x00\x80"  # track 1, at the cluster's time, keyframe
    inside = _number("E7", round(1e6 * timestamp)) + _start("A3", len(block) + length) + block
    return _start("1F43B675", len(inside) + length) + inside


def _start(identifier: str, length: int) -> bytes:
    return bytes.fromhex(identifier) + (length | 1 << 56).to_bytes(8, "big")


def _element(identifier: str, content: bytes) -> bytes:
    return _start(identifier, len(content)) + content


def _number(identifier: str, value: int) -> bytes:
    return _element(identifier, value.to_bytes(8, "big"))
