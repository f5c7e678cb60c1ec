"""Checks every recipe's grub.cfg by GRUB's own grub-script-check (package grub-common), which reads it as GRUB does."""
import re
import subprocess

from run import Wrong

# GRUB hands a kernel's arguments over in one piece; longer lines are cut by some kernels (COMMAND_LINE_SIZE on amd64).
KERNEL_LINE = 2048


def grub(rendered):
    done = subprocess.run(["grub-script-check", str(rendered.path)], text=True, capture_output=True, check=False)
    if done.returncode or done.stderr.strip():
        raise Wrong(f"grub-script-check: {done.stderr.strip() or done.stdout.strip()}")
    lines = [line.strip() for line in rendered.text.split("\n")]
    for word in ("linux", "initrd", "boot"):
        if not any(re.match(rf"{word}(efi)?(\s|$)", line) for line in lines):
            raise Wrong(f"nothing is started: there is no {word}")
    for line in lines:
        if line.startswith("linux ") and len(line) > KERNEL_LINE:
            raise Wrong(f"the kernel line has more than {KERNEL_LINE} characters")


CHECKS = [("*", "grub.cfg", grub)]
