"""Other people's zoos: bringing them into the zoo format."""

from wslbench.interop.formats import FORMATS, ImportOptions
from wslbench.interop.importing import import_zoo

__all__ = ["FORMATS", "ImportOptions", "import_zoo"]
