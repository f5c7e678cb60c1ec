"""Checks the files of Windows Server: well-formed XML (xmllint), JSON, and batch files that hold nothing a person has set."""
import json
import pathlib
import re
import subprocess
import xml.etree.ElementTree

from run import Wrong, expect

NAMESPACE = "{urn:schemas-microsoft-com:unattend}"
COMPONENTS = {
    "Microsoft-Windows-Shell-Setup", "Microsoft-Windows-DNS-Client", "Microsoft-Windows-TCPIP", "Microsoft-Windows-International-Core",
    "Microsoft-Windows-TerminalServices-LocalSessionManager", "Networking-MPSSVC-Svc",
}


def unattend(rendered):
    done = subprocess.run(["xmllint", "--noout", "--nonet", str(rendered.path)], text=True, capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"xmllint: {done.stderr.strip()}")
    root, settings = xml.etree.ElementTree.fromstring(rendered.text), rendered.settings
    expect("the passes", [part.get("pass") for part in root], ["specialize", "oobeSystem"])
    for part in root:
        names = [component.get("name") for component in part]
        if set(names) - COMPONENTS or len(set(names)) != len(names):
            raise Wrong(f"components {names}")
    value = root.find(f".//{NAMESPACE}AdministratorPassword/{NAMESPACE}Value")
    expect("the password", value.text or "", settings.get("admin_password", ""))
    computer = root.find(f".//{NAMESPACE}ComputerName").text
    if not re.fullmatch(r"[A-Za-z0-9-]{1,15}", computer):
        raise Wrong(f"ComputerName {computer!r}")
    user = root.find(f".//{NAMESPACE}LocalAccount/{NAMESPACE}Name")
    expect("the user", user.text if user is not None else "", settings.get("user_name", ""))


def settings_file(rendered):
    found = json.loads(rendered.text)
    for name in ("bond_interfaces", "ntp_servers", "packages", "ssh_keys", "late_commands"):
        expect(name, found[name], rendered.settings.get(name, []))
    for name in ("proxy", "serial_console"):
        expect(name, found[name], rendered.settings.get(name, ""))
    expect("static", found["static"], rendered.settings.get("network_config", "static") == "static")


def batch(rendered):
    raw = rendered.path.read_bytes()
    if not raw.isascii() or re.search(rb"(?<!\r)\n", raw):
        raise Wrong("cmd.exe needs ASCII with CR LF at the end of each line")
    text = raw.decode().lower()
    labels = re.findall(r"(?m)^:([a-z_]+)\r$", text)
    missing = set(re.findall(r"goto ([a-z_]+)", text)) - set(labels)
    if missing or len(set(labels)) != len(labels):
        raise Wrong(f"labels {labels}; missing {missing}")
    # Of the settings only the edition's number may be in it: cmd.exe has no safe quotation.
    plain = rendered.path.parent.parent / "defaults" / rendered.name
    same = re.sub(rb"/Index:\d+ ", b"", raw) == re.sub(rb"/Index:\d+ ", b"", plain.read_bytes()) if plain.exists() else True
    if not same:
        raise Wrong("it differs from that of the sample defaults, so it holds a setting")


def powershell(rendered):
    raw = rendered.path.read_bytes()
    if not raw.isascii():
        raise Wrong("Windows PowerShell reads only ASCII safely")
    plain = pathlib.Path(rendered.path.parent.parent / "defaults" / rendered.name)
    if plain.exists() and raw != plain.read_bytes():
        raise Wrong("it differs from that of the sample defaults, so it holds a setting; settings belong into settings.json")
    if raw.count(b"{") != raw.count(b"}") or raw.count(b"(") != raw.count(b")"):
        raise Wrong("braces or parentheses are not balanced")


def disk_number(rendered):
    if rendered.text.count("\n") != 1:
        raise Wrong("disk.txt has one line")


CHECKS = [
    ("windows-server-*", "unattend.xml", unattend),
    ("windows-server-*", "settings.json", settings_file),
    ("windows-server-*", "*.cmd", batch),
    ("windows-server-*", "winpeshl.ini", batch),
    ("windows-server-*", "setup.ps1", powershell),
    ("windows-server-*", "disk.txt", disk_number),
]
