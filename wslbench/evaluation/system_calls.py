"""System calls that a unit in the sandbox is refused, by a filter in the kernel (``seccomp(2)``).

Few, and none that numerical code needs: those that reach what no namespace separates or no limit counts. A refused call
fails as on a kernel that does not know it, so that libraries take their other way.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

# Numbers on x86-64, and on all architectures that came later.
_REFUSED: Final = {
    # Kernel keyrings belong to a user, not to a process: what one fold leaves there, the next one could read.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Memory that belongs neither to a process nor to the scratch folder would not count.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    # Large, of no use to a method, and a frequent source of holes in the wall.
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_MACHINES: Final = {"x86_64": (_X86_64, 0), "aarch64": (_AARCH64, 1)}
_X32_BIT: Final = 0x40000000  # a second set of numbers for the same calls

_LOAD, _JUMP_EQUAL, _JUMP_ABOVE, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _MACHINE_AT = 0, 4
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.ENOSYS
_PR_SET_SECCOMP: Final = 22
_FILTER: Final = 2


def refuse_system_calls() -> None:
    """Have the kernel refuse these calls to this process, for good, and to all that it starts.

    Raises
    ------
    OSError
        If it does not, or nobody knows the numbers of this machine's calls.
    """
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise OSError(f"the numbers of system calls on {machine} are not known to the sandbox")
    steps = _program(*_MACHINES[machine])
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


def _program(architecture: int, column: int) -> list[tuple[int, int, int, int]]:
    """Instructions (operation, steps to skip if true, if false, operand) of the filter."""
    numbers = [numbers[column] for numbers in _REFUSED.values()]
    # Each test jumps to the last instruction, which refuses; whoever passes them all reaches the last but one.
    tests = [(_JUMP_ABOVE, _X32_BIT), *((_JUMP_EQUAL, number) for number in numbers)]
    body = [(test, len(tests) - place, 0, operand) for place, (test, operand) in enumerate(tests)]
    return [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_JUMP_EQUAL, 0, len(tests) + 2, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        *body,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
