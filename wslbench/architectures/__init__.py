"""The networks that zoos consist of, by name.

An :class:`Architecture` is a builder's name plus arguments; from it, and from nothing else, comes the
``nn.Module``. Importing this package does not load torch.
"""

from wslbench.architectures._architecture import BUILDERS, TENSORS, Architecture

__all__ = ["BUILDERS", "TENSORS", "Architecture"]
