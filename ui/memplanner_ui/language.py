"""The window's words in the user's language, through Qt's translators.

Words are written in English where they are shown, in ``translate`` with the part of the window as
their context; ``make translations`` collects them for the translators. What the engine says stays
English: terminal, report and window show the same sentence.
"""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from typing import Literal, get_args

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QObject, QTranslator

Language = Literal["system", "en", "zh_CN"]

translate = QCoreApplication.translate
"""``translate(context, text)``: the text in the user's language. Both are literals, and never
within an f-string, so that Qt's tools find them; values come in by ``str.format`` and names."""

_OWN_NAME = "OwnTranslator"
_NUMBER = re.compile(r"\d+(?:\u2009\d{3})*(?:\.\d+)?")


def translatable(context: str, text: str) -> str:
    """``text`` itself, marked for the translators: for constants, translated when shown."""
    return text


def plural(context: str, many: str, one: str, count: int) -> str:
    """``many`` for a number of things, ``one`` for a single one; other languages have their forms.

    The number itself comes in by ``str.format``, as the window writes numbers.
    """
    found = translate(context, many, one, count)
    return one if count == 1 and found == many else found


def of_plan(text: str) -> str:
    """A title, an explanation or another fixed word of plans and estimates, translated."""
    return translate("Plan", text) if text else text


def summary_of_plan(text: str) -> str:
    """A summary that a section of a plan makes of its values, translated part by part.

    ``LoRA, rank 16`` is looked up as ``LoRA`` and ``rank {}``; what is a name stays as it is.
    """
    return ", ".join(_part(part) for part in text.split(", "))


def setting_of_plan(title: str) -> str:
    """The title of a setting, which may have its section's before it, translated."""
    return ": ".join(of_plan(part) for part in title.split(": "))


def pattern_of(part: str) -> str:
    """A part of a summary with ``{}`` for each number, as it is looked up: ``rank {}``."""
    return _NUMBER.sub("{}", part)


def _part(part: str) -> str:
    if "{" in part:  # somebody's name for a thing
        return part
    pattern = pattern_of(part)
    found = of_plan(pattern)
    return of_plan(part) if found == pattern else found.format(*_NUMBER.findall(part))


def install(application: QCoreApplication, language: Language) -> str:
    """Has every window that is made from now on speak ``language``; the language that it is.

    Those that stand already keep their words.
    """
    for old in application.findChildren(QTranslator, _OWN_NAME):
        application.removeTranslator(old)
        old.deleteLater()
    chosen = of_system() if language == "system" else language
    if chosen != "en":
        folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        _add(application, f"{folder}/qtbase_{chosen}.qm")  # where Qt came without, it is English
        with as_file(files("memplanner_ui") / "translations" / f"memplanner_{chosen}.qm") as own:
            _add(application, str(own))
    return chosen


def of_system(languages: tuple[str, ...] | None = None) -> str:
    """The first language of the system that the window speaks; else English."""
    before = set()
    for tag in QLocale.system().uiLanguages() if languages is None else languages:
        locale = QLocale(tag)
        if locale.language() == QLocale.Language.English:
            break
        if "-" not in tag and locale.language() in before:
            continue  # what Qt has left of one before it: of zh-Hant-TW only zh
        before.add(locale.language())
        for known in get_args(Language):
            ours = QLocale(known)
            alike = (locale.language(), locale.script()) == (ours.language(), ours.script())
            if alike and known not in ("system", "en"):
                return str(known)
    return "en"


def _add(application: QObject, path: str) -> None:
    translator = QTranslator(application)
    translator.setObjectName(_OWN_NAME)
    if translator.load(path):
        QCoreApplication.installTranslator(translator)
