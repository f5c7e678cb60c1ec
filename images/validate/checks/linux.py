"""Checks of what the installers of Ubuntu, of Anaconda's family and of openSUSE read."""
import functools
import json
import os
import pathlib
import re
import shlex
import subprocess

from run import Wrong, expect


HERE = pathlib.Path(__file__).resolve().parent
# The same folder as scripts/setup unpacks packages into.
LAB = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or HERE.parents[2] / "target") / "lab"


def extra_schema(name):
    """A schema that no package has: from the folder BOOTLEDGER_SCHEMAS, or None."""
    folder = os.environ.get("BOOTLEDGER_SCHEMAS")
    path = pathlib.Path(folder) / name if folder else None
    return path if path and path.exists() else None


@functools.cache
def cloud_init_schema():
    found = sorted((LAB / "cloud-init").glob("usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v*.json"))
    return json.loads(found[-1].read_text()) if found else None


@functools.cache  # Many samples render the same script.
def shell_syntax(script, shell="bash"):
    """Raises unless the shell can read the script."""
    done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"{shell} -n: {done.stderr.strip()}\n{script}")


# --- Anaconda ---

def anaconda_version(recipe):
    from pykickstart.version import versionMap
    system, number = recipe.rsplit("-", 1)
    version = ("F" if system == "fedora" else "RHEL") + number.split(".")[0]
    if version not in versionMap:
        raise Wrong(f"pykickstart has no syntax {version}")
    return version


def included(text, firmware, disks=("sda", "sdb"), ports="eno1,eno2"):
    """The kickstart with the file that its first script writes, as that script's sed writes it."""
    start, end = "<<'BOOTLEDGER_KICKSTART'\n", "\nBOOTLEDGER_KICKSTART\n"
    part = text[text.index(start) + len(start):text.index(end)]
    other = {"BIOS": "EFI", "EFI": "BIOS"}[firmware]
    lines = [line.removeprefix(f"@{firmware}@ ") for line in part.split("\n") if not line.startswith(f"@{other}@ ")]
    part = "\n".join(lines).replace("@DISK1@", disks[0]).replace("@DISK2@", disks[1]).replace("@PORTS@", ports)
    return text.replace("%include /tmp/bootledger.ks", part)


def kickstart(rendered):
    import warnings
    from pykickstart.parser import KickstartParser
    from pykickstart.version import makeVersion
    for firmware in ("BIOS", "EFI"):
        handler = makeVersion(anaconda_version(rendered.recipe))
        parser = KickstartParser(handler, errorsAreFatal=True, followIncludes=False)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # pykickstart warns of what Anaconda takes: a user's second key, which is added to the first, and a second
            # partition for the boot loader, which is on another disk.
            warnings.filterwarnings("ignore", message="An ssh user with the name .* has already been defined")
            warnings.filterwarnings("ignore", message="A partition with the mountpoint biosboot has already been defined")
            parser.readKickstartFromString(included(rendered.text, firmware))
        settings = rendered.settings
        if settings.get("root_password_hash"):
            expect("rootpw", handler.rootpw.password, settings["root_password_hash"])
        else:
            expect("rootpw --lock", handler.rootpw.lock, True)
        names = [user.name for user in handler.user.userList]
        expect("user --name", names, [settings["user_name"]] if settings.get("user_name") else [])
        keys = [key.key for key in handler.sshkey.sshUserList if key.username == "root"]
        expect("sshkey", keys, settings.get("ssh_keys", []))
        expect("timezone", handler.timezone.timezone, settings.get("time_zone", "Etc/UTC"))
        expect("timesource", [source.ntp_server for source in handler.timesource.dataList()], settings.get("ntp_servers", []))
        if settings.get("layout") == "encrypted" and settings.get("luks_passphrase"):
            expect("autopart --passphrase", handler.autopart.passphrase, settings["luks_passphrase"])
        if settings.get("proxy"):
            expect("url --proxy", handler.url.proxy, settings["proxy"])
        addressed = [data for data in handler.network.network if data.device]
        expect("network --device", len(addressed), 1)
        expect("network --bondslaves", bool(addressed[0].bondslaves), bool(settings.get("bond_interfaces")))
        wanted = [package for package in settings.get("packages", []) if package and not package.startswith(("%", "#"))]
        read = set(handler.packages.packageList) | {group.name for group in handler.packages.groupList}
        for package in wanted:
            if not package.startswith(("@", "-")) and " " not in package and package not in read:
                raise Wrong(f"%packages has no {package!r}")
        # pre, pre-install, onerror and the two post scripts: a value that ends a script would change their number.
        expect("the number of scripts", len(handler.scripts), 5)
        for script in handler.scripts:
            shell_syntax(script.script)


# --- Ubuntu ---

def autoinstall_commands(autoinstall):
    """Every command, as the shell is given it."""
    for section in ("early-commands", "late-commands", "error-commands"):
        for command in autoinstall[section]:
            yield section, command


def user_data(rendered):
    import jsonschema
    import yaml
    if not rendered.text.startswith("#cloud-config\n"):
        raise Wrong("the first line is not #cloud-config")
    document = yaml.safe_load(rendered.text)
    autoinstall, settings, notes = document["autoinstall"], rendered.settings, []
    schema = cloud_init_schema()
    for part in ({"autoinstall": autoinstall}, autoinstall.get("user-data", {})):
        if schema:
            jsonschema.validate(part, schema)
        else:
            notes.append("cloud-init's schema; scripts/setup test fetches it")
    schema = extra_schema("autoinstall-schema.json")
    if schema:
        jsonschema.validate(autoinstall, json.loads(schema.read_text()))
        unknown = set(autoinstall) - set(json.loads(schema.read_text())["properties"])
        expect("keys that Subiquity does not know", unknown, set())
    else:
        notes.append("Subiquity's autoinstall-schema.json; set BOOTLEDGER_SCHEMAS to a folder that holds it")
    commands = list(autoinstall_commands(autoinstall))
    for _, command in commands:
        shell_syntax(command, "sh")
        for script in re.findall(r"<<'BOOTLEDGER_SCRIPT'\n(.*?)\nBOOTLEDGER_SCRIPT\n", command, re.DOTALL):
            if script.startswith('"""'):
                compile(script, "bootledger-disks.py", "exec")
            else:
                shell_syntax(script, "sh")
    expect("locale", autoinstall["locale"], settings.get("locale", "en_US.UTF-8"))
    expect("timezone", autoinstall["timezone"], settings.get("time_zone", "Etc/UTC"))
    expect("proxy", autoinstall["proxy"], settings.get("proxy"))
    expect("packages", autoinstall["packages"], ["curl"] + settings.get("packages", []))
    if settings.get("user_name"):
        expect("identity", autoinstall["identity"]["username"], settings["user_name"])
        expect("authorized-keys", autoinstall["ssh"].get("authorized-keys", []), settings.get("ssh_keys", []))
    if settings.get("layout") == "encrypted" and settings.get("luks_passphrase"):
        expect("the passphrase", autoinstall["storage"]["layout"]["password"], settings["luks_passphrase"])
    late = [command for section, command in commands if section == "late-commands"]
    if "late_commands" in settings:
        ran = [shlex.split(command)[-1] for command in late if "; late " in command]
        expect("the late commands", ran, settings["late_commands"])
    if settings.get("root_password_hash"):
        expect("the password of root", settings["root_password_hash"] in shlex.split(next(c for c in late if "chpasswd" in c)), True)
    if "done_url" not in late[-1]:
        raise Wrong("DONE is not the last command")
    network = autoinstall["network"]
    expect("the ports of the bond", [
        port["match"].get("name", port["match"].get("macaddress")) for name, port in network["ethernets"].items() if name != "boot"
    ], [name.lower() if ":" in name else name for name in settings.get("bond_interfaces", [])])
    expect("the VLAN", [vlan["id"] for vlan in network.get("vlans", {}).values()], [settings["vlan"]] if settings.get("vlan") else [])
    return "; ".join(sorted(set(notes)))


def meta_data(rendered):
    import yaml
    document = yaml.safe_load(rendered.text)
    expect("the keys of meta-data", sorted(document), ["instance-id", "local-hostname"])


def vendor_data(rendered):
    import yaml
    expect("vendor-data", yaml.safe_load(rendered.text), {})


# --- openSUSE ---

YAST = "{http://www.suse.com/1.0/yast2ns}"


def scripts_of(settings, scripts):
    """Reads every script with bash, and compares the late commands with those of the sample."""
    for script in scripts:
        shell_syntax(script)
    if "late_commands" in settings:
        ran = [shlex.split(line)[1] for script in scripts for line in script.split("\n") if line.startswith("late ")]
        expect("the late commands", ran, settings["late_commands"])


def autoyast(rendered):
    import xml.etree.ElementTree as ElementTree
    done = subprocess.run(["xmllint", "--noout", "--nonet", str(rendered.path)], text=True, capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"xmllint: {done.stderr.strip()}")
    note, schema = None, extra_schema("autoyast/profile.rng")
    if schema:
        done = subprocess.run(["jing", str(schema), str(rendered.path)], text=True, capture_output=True, check=False)
        if done.returncode:
            raise Wrong(f"jing: {done.stdout.strip()}{done.stderr.strip()}")
    else:
        note = "YaST's schema of profiles; set BOOTLEDGER_SCHEMAS to a folder that holds autoyast/profile.rng"
    settings = rendered.settings
    root = ElementTree.fromstring(rendered.text)

    def texts(path):
        return [element.text or "" for element in root.findall("/".join(YAST + name for name in path.split("/")))]

    expect("software", texts("software/packages/package")[4:], settings.get("packages", []))
    expect("time zone", texts("timezone/timezone"), [settings.get("time_zone", "Etc/UTC")])
    expect("the password of root", texts("users/user/user_password")[0], settings.get("root_password_hash", "!"))
    expect("users", texts("users/user/username")[1:], [settings["user_name"]] if settings.get("user_name") else [])
    keys = settings.get("ssh_keys", [])
    expect("keys", texts("users/user/authorized_keys/authorized_key"), keys * (2 if settings.get("user_name") else 1))
    expect("proxy", texts("proxy/http_proxy"), [settings["proxy"]] if settings.get("proxy") else [])
    expect("NTP servers", texts("ntp-client/ntp_servers/ntp_server/address"), settings.get("ntp_servers", []))
    if settings.get("layout") == "encrypted":
        expect("the passphrase", texts("partitioning/drive/partitions/partition/crypt_key"), [settings.get("luks_passphrase", "")])
    expect("the VLAN", texts("networking/interfaces/interface/vlan_id"), [str(settings["vlan"])] if settings.get("vlan") else [])
    expect("the bond", len(texts("networking/interfaces/interface/bonding_master")), 1 if settings.get("bond_interfaces") else 0)
    scripts = [source for kind in ("pre", "postpartitioning", "chroot") for source in texts(f"scripts/{kind}-scripts/script/source")]
    expect("the number of scripts", len(scripts), 3)
    scripts_of(settings, scripts)
    return note


def agama(rendered):
    import jsonschema
    import referencing
    document = json.loads(rendered.text)
    for connection in document.get("network", {}).get("connections", []):
        if "bond" in connection:
            # The schema has a list of modes; the setting is a text, so a wrong mode is the installer's to refuse.
            expect("the mode of the bond", connection["bond"]["mode"], rendered.settings.get("bond_mode", "802.3ad"))
            connection["bond"]["mode"] = "802.3ad"
    note, schema = None, extra_schema("agama/profile.schema.json")
    if schema:
        def neighbour(uri):
            name = uri.rsplit("/", 1)[-1]
            return referencing.Resource.from_contents(
                json.loads((schema.parent / name).read_text()), default_specification=referencing.jsonschema.DRAFT201909)
        registry = referencing.Registry(retrieve=neighbour)
        jsonschema.Draft201909Validator(json.loads(schema.read_text()), registry=registry).validate(document)
    else:
        note = "Agama's schema of profiles; set BOOTLEDGER_SCHEMAS to a folder that holds agama/profile.schema.json"
    settings = rendered.settings
    expect("packages", document["software"]["packages"][4:], settings.get("packages", []))
    expect("time zone", document["localization"]["timezone"], settings.get("time_zone", "Etc/UTC"))
    expect("the password of root", document["root"]["password"], settings.get("root_password_hash", "!"))
    expect("the key of root", document["root"].get("sshPublicKey"), next(iter(settings.get("ssh_keys", [])), None))
    expect("the user", document.get("user", {}).get("userName"), settings.get("user_name"))
    if settings.get("layout") == "encrypted":
        volumes = document["storage"]["volumeGroups"][0]["physicalVolumes"][0]["generate"]
        expect("the passphrase", volumes["encryption"]["luks2"]["password"], settings.get("luks_passphrase", ""))
    ports = [port for connection in document.get("network", {}).get("connections", []) for port in connection.get("bond", {}).get("ports", [])]
    expect("the ports of the bond", len(ports), len(settings.get("bond_interfaces", [])))
    scripts_of(settings, [script["content"] for kind in document["scripts"].values() for script in kind])
    return note


def script(rendered):
    shell_syntax(rendered.text)


CHECKS = [
    ("rocky-*", "kickstart.cfg", kickstart),
    ("almalinux-*", "kickstart.cfg", kickstart),
    ("fedora-*", "kickstart.cfg", kickstart),
    ("ubuntu-*", "user-data", user_data),
    ("ubuntu-*", "meta-data", meta_data),
    ("ubuntu-*", "vendor-data", vendor_data),
    ("opensuse-*", "autoinst.xml", autoyast),
    ("opensuse-*", "agama.json", agama),
    ("opensuse-*", "agama.sh", script),
]
