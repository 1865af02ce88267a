"""Floor 2: the gallery: records in SQLite, FAISS segments, originals.  Stores bytes and vectors, knows no algorithm."""

from fpipe.index.conditions import Condition
from fpipe.index.gallery import Gallery
from fpipe.index.records import KINDS, Amendment, NewPrint, PrintRecord, Reextraction, StoredPrint
from fpipe.index.segments import Hits
from fpipe.index.selection import Selected, Selection
from fpipe.index.vectors import Vectors

__all__ = [
    "KINDS",
    "Amendment",
    "Condition",
    "Gallery",
    "Hits",
    "NewPrint",
    "PrintRecord",
    "Reextraction",
    "Selected",
    "Selection",
    "StoredPrint",
    "Vectors",
]
