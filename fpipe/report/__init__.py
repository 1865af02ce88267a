"""Floor 6: what people read.  The examiner's report of a search, one self-contained HTML file a latent."""

from fpipe.report.search import write_search_report

__all__ = ["write_search_report"]
