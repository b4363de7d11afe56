"""How a figure was made: formula or recording, parts, sources, margin; made from messages alone."""

from memplanner.report.explained.explanation import Explanation, Row, as_text
from memplanner.report.explained.whole import explanations

__all__ = ["Explanation", "Row", "as_text", "explanations"]
