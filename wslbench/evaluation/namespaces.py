"""What is a unit's own in the sandbox: processes, network, IPC, a scratch folder in memory; and no capability at all.

:mod:`wslbench.evaluation.bubblewrap` builds the wall around all units of an evaluation. Behind it, each of them is
walled in once more: fold 1's train labels are fold 2's test labels, and units run side by side. In order:

1. the warden calls :func:`leave`: further namespaces, and the scratch folder;
2. the warden forks, and the new process, number 1 of its namespace, calls :func:`settle`: it mounts ``/proc``, gives
   up its capabilities, has system calls refused that would lead outside, and forks;
3. there, as number 2, the method runs. Number 1 reaps what is orphaned, and ends when number 2 does. With it end, by
   the kernel's hand, all processes of the namespace, whatever session they are in, and the scratch folder is gone.

System calls and numbers: ``namespaces(7)``, ``capabilities(7)``, ``mount(2)``, ``prctl(2)``. Run as a program it tries
all of it; see :func:`wslbench.evaluation.bubblewrap.obstacle`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import select
import signal
import sys
from pathlib import Path
from typing import Final

from wslbench.evaluation.system_calls import refuse_system_calls

SCRATCH: Final = Path("/tmp/wslbench-unit")  # in every unit; each sees its own
_SHARED_MEMORY: Final = Path("/dev/shm")
_PROC: Final = Path("/proc")

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWPID: Final = 0x20000000
_CLONE_NEWNET: Final = 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 8, 32, 4096
_PR_SET_PDEATHSIG: Final = 1
_PR_CAPBSET_DROP: Final = 24
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522
_BY_SIGNAL: Final = 128
_MOST_NUMBERS: Final = 2048  # threads have one each
_MOST_OF_A_USER: Final = 8192


def leave(scratch_bytes: int) -> int:
    """Leave for namespaces of one's own; the processes that are forked from here on are in them altogether.

    Parameters
    ----------
    scratch_bytes
        What fits into the scratch folder.

    Returns
    -------
    The open scratch folder, through which its size can be told from outside.

    Raises
    ------
    OSError
        If the system does not allow it.
    """
    _call("unshare", _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWIPC | _CLONE_NEWNET)
    _mount("tmpfs", SCRATCH, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={scratch_bytes},mode=700")
    # Semaphores and memory that processes share live in a folder: a part of the scratch folder, which is counted.
    (SCRATCH / "shm").mkdir()
    _mount(SCRATCH / "shm", _SHARED_MEMORY, None, _MS_BIND)
    return os.open(SCRATCH, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def settle(warden: int) -> None:
    """As process 1 of the namespace: see to the unit's ``/proc``, give up all power, and return in process 2.

    Parameters
    ----------
    warden
        A pidfd of the parent, with which this process dies.
    """
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    poll = select.poll()
    poll.register(warden, select.POLLIN)
    if poll.poll(0):  # it died before the line above
        os._exit(1)
    os.close(warden)
    _mount("proc", _PROC, "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _limit_processes()
    _mount("none", _PROC, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _drop_capabilities()
    refuse_system_calls()
    child = os.fork()
    if child:
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
        _reap_until_end_of(child)


def exit_code(code: int) -> int:
    """How process 2 ended, from the exit code of process 1: minus the signal, where it was one."""
    return _BY_SIGNAL - code if code > _BY_SIGNAL else code


def _reap_until_end_of(child: int) -> None:
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            # Number 1 cannot kill itself by a signal; as shells do.
            os._exit(code if code >= 0 else _BY_SIGNAL - code)


def _limit_processes() -> None:
    """Have the kernel stop what multiplies faster than anybody can look.

    The exact limit is that of :class:`~wslbench.evaluation.limits.Limits`. This one is far above it: since Linux 6.14 a
    namespace can be short of process numbers of its own; before, and not for root, there is the limit of a user, whom
    all units of an evaluation share (and, before Linux 5.14, everything else that the user runs).
    """
    # Before, the number is the machine's, and root would change it for all.
    if _kernel() >= (6, 14):
        with contextlib.suppress(OSError):
            (_PROC / "sys/kernel/pid_max").write_text(str(_MOST_NUMBERS))
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = _MOST_OF_A_USER if hard == resource.RLIM_INFINITY else min(hard, _MOST_OF_A_USER)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])


def _drop_capabilities() -> None:
    """Give up every capability, in every set, and the bounding set: no program that is run can bring one back."""
    capability = 0
    while _libc().prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) == 0:
        capability += 1
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())
    status = dict(line.split(":", 1) for line in (_PROC / "self/status").read_text().splitlines())
    left = {name: value for name, value in status.items() if name.startswith("Cap") and int(value, 16)}
    if left or int(status["NoNewPrivs"]) != 1:
        raise PermissionError(f"capabilities could not be given up: {left}")


def _mount(source: str | Path, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    _call("mount", *map(_bytes, (str(source), str(target), kind)), ctypes.c_ulong(flags), _bytes(options))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _call(function: str, *arguments: object) -> None:
    widened = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    if getattr(_libc(), function)(*widened) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _try() -> None:
    warden = os.pidfd_open(os.getpid())
    try:
        leave(2**20)
        child = os.fork()
        if child == 0:
            settle(warden)
            os._exit(0)
    except OSError as error:
        sys.exit(str(error))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    _try()
