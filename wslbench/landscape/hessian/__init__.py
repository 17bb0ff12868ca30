"""Trace, top eigenvalues and spectral density of the loss Hessian, for a stack of networks at once.

Mean loss over a fixed subset of the clean train or test set, Hessian with respect to all trainable parameters, in
evaluation mode (the stored batch-norm statistics, held fixed) unless asked otherwise.
"""

from wslbench.landscape.hessian.density import SpectralDensity, spectral_density
from wslbench.landscape.hessian.eigenvalues import EigenEstimate, EigenEstimates, top_eigenvalue, top_eigenvalues
from wslbench.landscape.hessian.power import power_iteration
from wslbench.landscape.hessian.product import BatchNormMode, HessianProduct, hessian_product
from wslbench.landscape.hessian.trace import StopRule, TraceEstimate, hessian_trace

__all__ = [
    "BatchNormMode",
    "EigenEstimate",
    "EigenEstimates",
    "HessianProduct",
    "SpectralDensity",
    "StopRule",
    "TraceEstimate",
    "hessian_product",
    "hessian_trace",
    "power_iteration",
    "spectral_density",
    "top_eigenvalue",
    "top_eigenvalues",
]
