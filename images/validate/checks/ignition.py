"""Checks the Ignition files and scripts of Flatcar and Fedora CoreOS.

The fields are those of the specifications 3.3.0 and 3.4.0 that these recipes use. The Rust test images/tests/ignition.rs
reads the same files with the crate ignition-config.
"""
import json
import re
import subprocess

from run import Wrong, expect

URL, TEXT, FLAG, NUMBER = "url", "text", "flag", "number"
UNIT = {"name": TEXT, "enabled": FLAG, "mask": FLAG, "contents": TEXT, "dropins": [{"name": TEXT, "contents": TEXT}]}
FIELDS = {
    "ignition": {"version": TEXT},
    "passwd": {"users": [{"name": TEXT, "passwordHash": TEXT, "sshAuthorizedKeys": [TEXT], "groups": [TEXT]}]},
    "storage": {
        "disks": [{"device": TEXT, "wipeTable": FLAG, "partitions": [{"label": TEXT, "sizeMiB": NUMBER, "typeGuid": TEXT}]}],
        "raid": [{"name": TEXT, "level": TEXT, "devices": [TEXT], "options": [TEXT]}],
        "filesystems": [{"device": TEXT, "format": TEXT, "label": TEXT, "wipeFilesystem": FLAG}],
        "luks": [{"name": TEXT, "label": TEXT, "device": TEXT, "wipeVolume": FLAG, "clevis": {"tpm2": FLAG, "tang": [{"url": TEXT, "thumbprint": TEXT}]}}],
        "files": [{"path": TEXT, "mode": NUMBER, "overwrite": FLAG, "contents": {"source": URL}}],
    },
    "systemd": {"units": [UNIT]},
}
KINDS = {TEXT: str, FLAG: bool, NUMBER: int, URL: str}


def walk(value, fields, place):
    if isinstance(fields, dict):
        if not isinstance(value, dict):
            raise Wrong(f"{place} is no object")
        for name, part in value.items():
            if name not in fields:
                raise Wrong(f"{place} has the field {name}, which the specification (or this check) does not know")
            walk(part, fields[name], f"{place}.{name}")
    elif isinstance(fields, list):
        if not isinstance(value, list):
            raise Wrong(f"{place} is no list")
        for number, part in enumerate(value):
            walk(part, fields[0], f"{place}[{number}]")
    elif type(value) is not KINDS[fields]:
        raise Wrong(f"{place} is no {fields}: {value!r}")
    elif fields == URL and not re.fullmatch(r"http://192\.0\.2\.1:8080/\S+", value):
        raise Wrong(f"{place} is not an address of this service: {value}")


def ignition(rendered):
    config = json.loads(rendered.text)
    walk(config, FIELDS, "config")
    if config["ignition"]["version"] != ("3.3.0" if rendered.recipe == "flatcar" else "3.4.0"):
        raise Wrong(f"version {config['ignition']['version']}")
    settings = rendered.settings
    core = config["passwd"]["users"][0]
    expect("core's keys", core["sshAuthorizedKeys"], settings.get("ssh_keys", []))
    names = [user["name"] for user in config["passwd"]["users"]]
    paths = [file["path"] for file in config["storage"]["files"]]
    for what, found in (("user", names), ("path", paths), ("unit", [unit["name"] for unit in config["systemd"]["units"]])):
        if len(set(found)) != len(found):
            raise Wrong(f"a {what} is there twice: {found}")
    if rendered.name == "disk.ign":
        disk(config, settings, names, rendered.recipe)
    for unit in config["systemd"]["units"]:
        systemd_unit(unit)


def disk(config, settings, names, recipe):
    hash_ = settings.get("user_password_hash")
    user = config["passwd"]["users"][-1]
    expect("the users", names, ["core"] + ([settings["user_name"]] if settings.get("user_name") else []))
    expect("the password", user.get("passwordHash"), hash_ or None)
    if recipe == "fedora-coreos" and settings.get("layout") == "raid1" and settings.get("raid_disks"):
        expect("the disks", [disk["device"] for disk in config["storage"]["disks"]], settings["raid_disks"])
        expect("the parts of a mirror", {len(raid["devices"]) for raid in config["storage"]["raid"]}, {len(settings["raid_disks"])})


def systemd_unit(unit):
    for text in [unit.get("contents", "")] + [dropin["contents"] for dropin in unit.get("dropins", [])]:
        for line in text.split("\n"):
            if line and not re.match(r"(\[[A-Z][A-Za-z]+\]|[A-Za-z]+=.*)$", line):
                raise Wrong(f"{unit['name']}: {line!r} is no line of a unit")


def script(rendered):
    shell = "sh" if rendered.text.startswith("#!/bin/sh") else "bash"
    done = subprocess.run([shell, "-n"], input=rendered.text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"{shell} -n: {done.stderr.strip()}")
    for name, value in rendered.settings.items():
        for text in value if isinstance(value, list) else [value]:
            # A quotation of any kind changes a single quote, so such a text is never in a script as it was set.
            if isinstance(text, str) and "'" in text and text in rendered.text:
                raise Wrong(f"{name}: {text!r} is in the script without a quotation")
    for text in rendered.settings.get("late_commands", []):
        if quoted(text) not in rendered.text and "late command" in rendered.text:
            raise Wrong(f"the late command {text!r} is not in the script as one word")


def quoted(text):
    return text if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def installer(rendered):
    import yaml
    options = yaml.safe_load(rendered.text)
    known = {"ignition-url": str, "insecure-ignition": bool, "fetch-retries": str, "console": list, "append-karg": list}
    for name, value in options.items():
        if name not in known or not isinstance(value, known[name]):
            raise Wrong(f"coreos-installer: {name}: {value!r}")
    if rendered.settings.get("serial_console"):
        expect("console", options["console"], ["tty0", rendered.settings["serial_console"]])
    if any(not isinstance(argument, str) or " " in argument for argument in options.get("append-karg", [])):
        raise Wrong(f"append-karg: {options['append-karg']!r}")


CHECKS = [
    ("flatcar", "*.ign", ignition),
    ("fedora-coreos", "*.ign", ignition),
    ("fedora-coreos", "installer.yaml", installer),
    ("flatcar", "*.sh", script),
    ("fedora-coreos", "*.sh", script),
    ("proxmox-ve-9", "*.sh", script),
    ("rescue", "*.sh", script),
]
