"""Other people's zoos: bringing them into the zoo format, and taking zoos out of it."""

from wslbench.interop.exporting import EXPORTS, export_zoo
from wslbench.interop.formats import FORMATS
from wslbench.interop.importing import import_zoo
from wslbench.interop.listing import ImportOptions

__all__ = ["EXPORTS", "FORMATS", "ImportOptions", "export_zoo", "import_zoo"]
