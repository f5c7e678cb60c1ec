"""Checks of what Debian's installer reads: the answers by debconf's own reader, the scripts by a shell."""
import functools
import re
import shutil
import subprocess

from run import Wrong, expect


@functools.cache  # Many samples render the same script.
def shell_syntax(script):
    """Raises unless a POSIX shell can read the script. The installer's own is busybox's."""
    shell = ["busybox", "sh", "-n"] if shutil.which("busybox") else ["sh", "-n"]
    done = subprocess.run(shell, input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"{' '.join(shell)}: {done.stderr.strip()}\n{script}")


def script(rendered):
    shell_syntax(rendered.text)


def preseed(rendered):
    lines = rendered.text.split("\n")
    if lines[0] != "#_preseed_V1":
        raise Wrong("the first line is not #_preseed_V1, without which debconf's newer format does not count")
    done = subprocess.run(["debconf-set-selections", "--checkonly"], input=rendered.text, text=True, capture_output=True, check=False)
    if done.returncode or done.stderr.strip():
        raise Wrong(f"debconf-set-selections: {done.stderr.strip() or done.stdout.strip()}")
    answers = {}
    for line in lines:
        if not line or line.startswith("#") or line.startswith("  ") or not line.startswith("d-i "):
            continue
        parts = line.split(" ", 3)
        if len(parts) < 3 or not re.fullmatch(r"[a-z0-9_/.-]+", parts[1]):
            raise Wrong(f"not an answer: {line!r}")
        if parts[1] in answers:
            raise Wrong(f"{parts[1]} is answered twice")
        if line.rstrip().endswith("\\") and not parts[1].startswith(("partman-auto/", "preseed/")):
            raise Wrong(f"the line goes on in the next one: {line!r}")
        answers[parts[1]] = parts[3] if len(parts) == 4 else ""
    settings = rendered.settings
    expect("the time zone", answers.get("time/zone"), settings.get("time_zone", "Etc/UTC").replace("\\", ""))
    expect("the password of root", answers.get("passwd/root-password-crypted"), settings.get("root_password_hash") or "*")
    if settings.get("layout") == "encrypted":
        expect("the passphrase", answers.get("partman-crypto/passphrase"), settings.get("luks_passphrase", ""))


CHECKS = [
    ("debian-*", "preseed.cfg", preseed),
    ("debian-*", "early.sh", script),
    ("debian-*", "late.sh", script),
]
