"""Checks the answer files of Proxmox VE, Talos and VMware ESXi, as far as their formats are documented.

Proxmox: the fields of its automated installation (wiki, Automated Installation; sources of proxmox-auto-installer).
Talos: the fields used here; where the environment variable BOOTLEDGER_SCHEMAS names a folder with Talos's config.schema.json,
each document is checked with it too. ESXi: the commands of its installation scripts (vSphere documentation).
"""
import json
import os
import pathlib
import re
import shlex
import subprocess
import tomllib

from run import Wrong, expect


def fields(value, known, place):
    for name in value:
        if name not in known:
            raise Wrong(f"{place} has the field {name}, which is not documented")


# --- Proxmox VE ---
KEYBOARDS = set("de de-ch dk en-gb en-us es fi fr fr-be fr-ca fr-ch hu is it jp lt mk nl no pl pt pt-br se si tr".split())


def proxmox(rendered):
    answer, settings = tomllib.loads(rendered.text), rendered.settings
    fields(answer, {"global", "network", "disk-setup", "post-installation-webhook", "first-boot"}, "the file")
    wide, network, disks = answer["global"], answer["network"], answer["disk-setup"]
    fields(wide, {"keyboard", "country", "fqdn", "mailto", "timezone", "root-password-hashed", "root-ssh-keys", "reboot-on-error", "reboot-mode"}, "global")
    if not rendered.sample.startswith("nasty") and wide["keyboard"] not in KEYBOARDS:
        raise Wrong(f"global.keyboard {wide['keyboard']!r}")
    expect("root-ssh-keys", wide["root-ssh-keys"], settings.get("ssh_keys", []))
    expect("timezone", wide["timezone"], settings.get("time_zone", "UTC"))
    if network["source"] == "from-answer":
        fields(network, {"source", "cidr", "dns", "gateway", "filter"}, "network")
        if len(network) != 5:
            raise Wrong("from-answer needs cidr, dns, gateway and filter")
        expect("filter", network["filter"], {"ID_NET_NAME_MAC": "enx525400aabb0c"})
    else:
        expect("network", network, {"source": "from-dhcp"})
    fields(disks, {"filesystem", "disk-list", "filter", "filter-match", "zfs", "lvm"}, "disk-setup")
    if ("disk-list" in disks) == ("filter" in disks):
        raise Wrong("disk-setup needs either disk-list or filter")
    if disks["filesystem"] == "zfs":
        expect("disk-list", disks["disk-list"], [disk.rsplit("/", 1)[-1] for disk in settings.get("raid_disks", [])])
    elif "disk-list" in disks and len(disks["disk-list"]) != 1:
        raise Wrong("ext4 takes one disk")
    fields(answer["post-installation-webhook"], {"url", "cert-fingerprint"}, "post-installation-webhook")
    fields(answer["first-boot"], {"source", "ordering", "url", "cert-fingerprint"}, "first-boot")
    # The file is served without a token, so it must not hold what a secret setting says.
    for name in ("root_password_hash",):
        if settings.get(name) and settings[name] in rendered.text:
            raise Wrong(f"the answer file holds {name}")


# --- Talos ---
MACHINE = {"type", "token", "ca", "install", "env", "pods"}
CLUSTER = {"id", "secret", "token", "clusterName", "controlPlane", "ca", "secretboxEncryptionSecret", "aggregatorCA", "serviceAccount", "etcd"}
KINDS = {"HostnameConfig", "TimeSyncConfig", "ResolverConfig", "LinkAliasConfig", "LinkConfig", "BondConfig", "VLANConfig", "DHCPv4Config", "VolumeConfig", "RegistryMirrorConfig"}


def talos_schema():
    folder = os.environ.get("BOOTLEDGER_SCHEMAS")
    path = pathlib.Path(folder) / "talos.config.schema.json" if folder else None
    return json.loads(path.read_text()) if path and path.exists() else None


def talos(rendered):
    import yaml
    documents, settings = list(yaml.safe_load_all(rendered.text)), rendered.settings
    main = documents[0]
    fields(main, {"version", "debug", "machine", "cluster"}, "the first document")
    fields(main["machine"], MACHINE, "machine")
    fields(main["cluster"], CLUSTER, "cluster")
    fields(main["machine"]["install"], {"disk", "diskSelector", "image", "wipe"}, "machine.install")
    if settings.get("disk"):
        expect("machine.install.disk", main["machine"]["install"]["disk"], settings["disk"])
    for setting, place in (("machine_token", main["machine"]["token"]), ("cluster_name", main["cluster"]["clusterName"]),
                           ("machine_ca_crt", main["machine"]["ca"]["crt"])):
        expect(setting, place, settings.get(setting, ""))
    command = main["machine"]["pods"][0]["spec"]["containers"][0]["command"]
    done = subprocess.run(["sh", "-n", "-c", command[2]], text=True, capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"the pod's command: {done.stderr}")
    names = [(document["kind"], document.get("name")) for document in documents[1:]]
    if len(set(names)) != len(names):
        raise Wrong(f"a document is there twice: {names}")
    for document in documents[1:]:
        if document["kind"] not in KINDS or document["apiVersion"] != "v1alpha1":
            raise Wrong(f"unknown document {document['kind']}")
    schema = talos_schema()
    if schema is None:
        return "documents of Talos with its config.schema.json (BOOTLEDGER_SCHEMAS is not set)"
    import jsonschema
    checks = {title: {"$defs": schema["$defs"], "$ref": f"#/$defs/{title}"} for title in schema["$defs"]}
    for document in documents[1:]:
        # Nasty texts are no modes and no addresses: the schema refuses them, as Talos would.
        if rendered.sample.startswith("nasty") and document["kind"] in ("BondConfig", "RegistryMirrorConfig"):
            continue
        title = next(title for title in checks if re.fullmatch(rf"[a-z]+\.{document['kind']}V1Alpha1", title))
        jsonschema.validate(document, checks[title])
    return None


# --- VMware ESXi ---
COMMANDS = {
    "accepteula": set(), "vmaccepteula": set(), "reboot": {"--noeject"}, "paranoid": set(), "dryrun": set(),
    "rootpw": {"--iscrypted"}, "keyboard": None, "serialnum": {"--esx"},
    "clearpart": {"--drives", "--alldrives", "--ignoredrives", "--overwritevmfs", "--firstdisk"},
    "install": {"--disk", "--drive", "--firstdisk", "--ignoressd", "--overwritevsan", "--overwritevmfs", "--preservevmfs", "--novmfsondisk", "--forceunsupportedinstall"},
    "network": {"--bootproto", "--device", "--ip", "--gateway", "--nameserver", "--netmask", "--hostname", "--vlanid", "--addvmportgroup"},
}
SECTIONS = {"%pre": {"--interpreter"}, "%post": {"--interpreter", "--timeout", "--ignorefailure"}, "%firstboot": {"--interpreter"}}


def kickstart(rendered):
    settings, sections, seen = rendered.settings, [("", [])], {}
    for line in rendered.text.split("\n"):
        if line.startswith("%"):
            words = line.split()
            if words[0] not in SECTIONS or {word.split("=")[0] for word in words[1:]} - SECTIONS[words[0]]:
                raise Wrong(f"unknown section {line!r}")
            sections.append((words[0], []))
        else:
            sections[-1][1].append(line)
    for line in sections[0][1]:
        words = shlex.split(line, comments=True)
        if not words:
            continue
        name, arguments = words[0], words[1:]
        if name not in COMMANDS:
            raise Wrong(f"unknown command {name!r}")
        if name in seen:
            raise Wrong(f"{name} is there twice")
        options = [word.split("=")[0] for word in arguments if word.startswith("--")]
        if COMMANDS[name] is not None and set(options) - COMMANDS[name]:
            raise Wrong(f"{name}: unknown option in {arguments}")
        seen[name] = arguments
    for name in ("vmaccepteula", "rootpw", "install", "network", "reboot"):
        if name not in seen:
            raise Wrong(f"{name} is missing")
    expect("rootpw", seen["rootpw"], ["--iscrypted", settings.get("root_password_hash", "")])
    disk = settings.get("disk", "auto")
    expect("install", seen["install"][0], "--firstdisk=local" if disk == "auto" else f"--disk={disk}")
    for name, lines in sections[1:]:
        done = subprocess.run(["sh", "-n"], input="\n".join(lines), text=True, capture_output=True, check=False)
        if done.returncode:
            raise Wrong(f"{name}: {done.stderr.strip()}")
    first = "\n".join(dict(sections).get("%firstboot", []))
    if first:
        for command in settings.get("late_commands", []):
            # shlex reads the word back as sh would.
            if not any(shlex.split(line)[:3] == ["sh", "-c", command] for line in first.split("\n") if line.startswith("sh -c ")):
                raise Wrong(f"the late command {command!r} is not in the script as one word")


def boot_cfg(rendered):
    values = {}
    for line in rendered.text.rstrip("\n").split("\n"):
        name, separator, value = line.partition("=")
        if not separator or name not in {"bootstate", "title", "timeout", "prefix", "kernel", "kernelopt", "modules", "build", "updated"}:
            raise Wrong(f"unknown line {line!r}")
        if name in values:
            raise Wrong(f"{name} is there twice")
        values[name] = value
    files = [values["kernel"]] + values["modules"].split(" --- ")
    if any(not re.fullmatch(r"[a-z0-9._]+", name) for name in files) or len(set(files)) != len(files):
        raise Wrong("a module's name is wrong, or is there twice")
    import yaml
    recipe = yaml.safe_load((pathlib.Path(__file__).resolve().parents[2] / "recipes" / "esxi-8" / "recipe.yaml").read_text())
    missing = set(files) ^ (set(recipe["downloads"]) - {"mboot.efi", "mboot.c32"})
    if missing:
        raise Wrong(f"boot.cfg and the recipe's downloads differ: {sorted(missing)}")
    if not values["kernelopt"].startswith("runweasel ks=http://"):
        raise Wrong("kernelopt does not start the installation script")


CHECKS = [
    ("proxmox-ve-9", "answer.toml", proxmox),
    ("talos", "machine.yaml", talos),
    ("esxi-8", "ks.cfg", kickstart),
    ("esxi-8", "boot.cfg", boot_cfg),
]
