"""Checks every recipe's boot.ipxe: only commands that iPXE has, and nothing of a person's text read as iPXE's own syntax."""
import re

from run import Wrong

COMMANDS = {
    "autoboot", "boot", "chain", "choose", "config", "console", "cpair", "cpuid", "dhcp", "echo", "exit", "goto", "ifclose", "ifconf", "ifopen", "ifstat",
    "imgargs", "imgexec", "imgextract", "imgfetch", "imgfree", "imgload", "imgselect", "imgstat", "imgtrust", "imgverify", "inc", "initrd", "iseq", "isset",
    "item", "kernel", "menu", "module", "nslookup", "ntp", "param", "params", "ping", "pciscan", "poweroff", "prompt", "read", "reboot", "route", "sanboot",
    "sanhook", "sanunhook", "set", "sleep", "sync", "time", "vcreate", "vdestroy",
}
# What scripts may expand. Anything else in braces came from a person.
EXPANSIONS = {"platform", "buildarch", "arch", "net0/mac", "netX/mac", "netX/mac:hexhyp", "next-server", "manufacturer", "product", "serial", "uuid"}
# Longer kernel lines are cut by some kernels (COMMAND_LINE_SIZE is 2048 on amd64).
KERNEL_LINE = 2048


def ipxe(rendered):
    lines = rendered.text.split("\n")
    if lines[0] != "#!ipxe":
        raise Wrong(f"the first line is {lines[0]!r}; iPXE wants #!ipxe")
    labels, jumps, named, wanted = set(), set(), set(), set()
    for number, line in enumerate(lines[1:], start=2):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith(":"):
            if stripped in labels:
                raise Wrong(f"line {number}: the label {stripped} is there twice")
            labels.add(stripped)
            continue
        for name in re.findall(r"\$\{([^}]*)\}?", line):
            if name not in EXPANSIONS:
                raise Wrong(f"line {number}: iPXE would expand ${{{name}}}")
        # A command ends at && or || or at the end of the line.
        command = []
        for word in stripped.split() + ["||"]:
            if word not in ("&&", "||"):
                command.append(word)
                continue
            if command:
                check_command(number, command, jumps, named, wanted)
            command = []
    if missing := {f":{jump}" for jump in jumps} - labels:
        raise Wrong(f"goto leads to {', '.join(sorted(missing))}, which is not there")
    if missing := wanted - named:
        raise Wrong(f"the kernel line names initrd={', '.join(sorted(missing))}, which no initrd command brings")
    # A script hands over with boot, or starts an image at once with chain.
    if not any(line.strip().split(" ")[0] in ("boot", "chain", "sanboot", "exit") for line in lines):
        raise Wrong("nothing is started: there is no boot")


def check_command(number, command, jumps, named, wanted):
    name, words = command[0], command[1:]
    if name not in COMMANDS:
        raise Wrong(f"line {number}: {name!r} is no command of iPXE")
    if name == "goto":
        jumps.add(words[0])
    if name in ("initrd", "kernel", "imgfetch", "chain", "module"):
        plain = list(words)
        while plain and plain[0].startswith("--"):
            option = plain.pop(0)
            if option == "--name" and plain:
                named_as = plain.pop(0)
                if name == "initrd":
                    named.add(named_as)
        if not plain or not re.match(r"https?://[^\s]+$", plain[0]):
            raise Wrong(f"line {number}: {name} needs an address, not {plain[:1]}")
    if name == "kernel":
        wanted.update(word.removeprefix("initrd=") for word in words if word.startswith("initrd="))
        if len(" ".join(words)) > KERNEL_LINE:
            raise Wrong(f"line {number}: the kernel line has more than {KERNEL_LINE} characters")


CHECKS = [("*", "boot.ipxe", ipxe)]
