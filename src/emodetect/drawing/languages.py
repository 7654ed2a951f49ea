"""Names of the emotions in each language. Imports nothing heavy, since the command line's help lists the languages."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

UNCERTAIN = "uncertain"
"""Key of the name of an uncertain label."""

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "angry": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy", "sad": "sad", "surprise": "surprise",
        "neutral": "neutral", UNCERTAIN: "uncertain",
    },
    "ko": {
        "angry": "분노", "disgust": "혐오", "fear": "두려움", "happy": "행복", "sad": "슬픔", "surprise": "놀람",
        "neutral": "무표정", UNCERTAIN: "불확실",
    },
    "ja": {
        "angry": "怒り", "disgust": "嫌悪", "fear": "恐怖", "happy": "喜び", "sad": "悲しみ", "surprise": "驚き",
        "neutral": "無表情", UNCERTAIN: "判定不能",
    },
    "zh": {
        "angry": "愤怒", "disgust": "厌恶", "fear": "恐惧", "happy": "高兴", "sad": "悲伤", "surprise": "惊讶",
        "neutral": "中性", UNCERTAIN: "不确定",
    },
    "es": {
        "angry": "ira", "disgust": "asco", "fear": "miedo", "happy": "alegría", "sad": "tristeza", "surprise": "sorpresa",
        "neutral": "neutral", UNCERTAIN: "dudoso",
    },
    "de": {
        "angry": "Wut", "disgust": "Ekel", "fear": "Angst", "happy": "Freude", "sad": "Trauer", "surprise": "Überraschung",
        "neutral": "neutral", UNCERTAIN: "unklar",
    },
    "fr": {
        "angry": "colère", "disgust": "dégoût", "fear": "peur", "happy": "joie", "sad": "tristesse", "surprise": "surprise",
        "neutral": "neutre", UNCERTAIN: "indéterminé",
    },
}  # fmt: skip
"""Names of the emotions and of `UNCERTAIN`, by language (ISO 639-1)."""

NAMES = {
    "en": "English", "ko": "Korean", "ja": "Japanese", "zh": "Chinese", "es": "Spanish", "de": "German", "fr": "French",
}  # fmt: skip


def system_language(environment: Mapping[str, str] = os.environ) -> str:
    """Language of the system, or English if it is not among `WORDS`.

    Args:
        environment: environment variables, evaluated as by gettext: LC_ALL, LC_MESSAGES and LANG for the locale, and the list
            LANGUAGE unless the locale is C.
    """
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    if not locale:
        locale = _windows_locale()
    if not locale or locale.split(".")[0] in ("C", "POSIX"):
        return "en"
    wishes = [*environment.get("LANGUAGE", "").split(":"), locale]
    return next((code for wish in wishes if (code := wish[:2].lower()) in WORDS), "en")


def _windows_locale() -> str:
    """Display language of Windows, such as ko_KR; empty on other systems."""
    if sys.platform != "win32":
        return ""
    import ctypes
    import locale

    return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
