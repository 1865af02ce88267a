"""Bytes to pictures and back: PNG, TIFF, BMP, JPEG, JPEG 2000, WSQ and ANSI/NIST files, recognised by content."""

from fpipe.formats.reading import read_picture
from fpipe.formats.resample import to_500_ppi
from fpipe.formats.writing import write_picture

__all__ = ["read_picture", "to_500_ppi", "write_picture"]
