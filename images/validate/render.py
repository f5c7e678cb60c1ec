#!/usr/bin/env python3
"""Renders recipes with sample settings, for the validators and for development.

The product renders with the Rust library minijinja; this file uses the same engine from PyPI and adds the
product's own filters. The Rust test `images/tests/validators.rs` renders with the product itself; use this file
to look at a template without building anything.

usage: render.py RECIPES_FOLDER SAMPLES_FOLDER OUTPUT_FOLDER [RECIPE]...
       writes OUTPUT_FOLDER/RECIPE/SAMPLE/FILE
"""
import json
import pathlib
import re
import sys

import minijinja
import yaml


def shell(value):
    """A POSIX shell word, quoted where needed; a list gives all words with blanks between."""
    if isinstance(value, (list, tuple)):
        return " ".join(shell(item) for item in value)
    text = "true" if value is True else "false" if value is False else str(value)
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def xml(value):
    """Text escaped for XML element content and attributes."""
    text = str(value)
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(plain, escaped)
    return text


def mac(separator, group):
    def convert(value):
        digits = re.sub(r"[^0-9a-f]", "", str(value).lower())
        return separator.join(digits[at:at + group] for at in range(0, 12, group))
    return convert


class Addresses(list):
    """The name servers: a list that joins with blanks when it is printed."""

    def __str__(self):
        return " ".join(self)


def environment():
    env = minijinja.Environment(undefined_behavior="strict", keep_trailing_newline=True)
    env.auto_escape_callback = lambda name: False
    env.fuel = 300_000  # as the product: see web/src/boot/template.rs
    env.add_filter("shell", shell)
    env.add_filter("json", lambda value: json.dumps(value, ensure_ascii=False))
    env.add_filter("xml", xml)
    env.add_filter("none", mac("", 2))
    env.add_filter("colon", mac(":", 2))
    env.add_filter("cisco", mac(".", 4))
    return env


def settings_of(recipe, given):
    """The values of the recipe's settings: those given, else the defaults. Secrets are plain texts here."""
    values = {}
    for name, declaration in (recipe.get("settings") or {}).items():
        empty = [] if declaration["type"] == "list" else ""
        values[name] = given[name] if name in given else declaration.get("default", empty)
    return values


def variables(recipe, sample):
    base = "http://192.0.2.1:8080"
    token = "T" * 43
    files = f"{base}/pxe/t/{token}"
    everything = {**(recipe.get("templates") or {}), **(recipe.get("files") or {}), **(recipe.get("downloads") or {})}

    def first(kind):
        return next((f"{files}/{name}" for name, entry in everything.items() if entry.get("kind") == kind), "")

    values = {
        "mac": "52:54:00:aa:bb:0c", "ip": "10.20.0.11", "hostname": "h200.dc1.example", "domain": "dc1.example",
        "venture": "shop", "role": "web", "site": "dc1", "network": "10.20.0.0/24", "gateway": "10.20.0.1",
        "netmask": "255.255.255.0", "prefix": 24, "base_url": base, "token": token, "files_url": files,
        "done_url": f"{base}/pxe/DONE/{token}", "progress_url": f"{files}/progress", "log_url": f"{files}/log",
        "kernel_url": first("kernel"), "initrd_url": first("initrd"), "kickstart_url": first("kickstart"),
        "dns_servers": ["10.20.0.2", "10.20.0.3"],
    }
    values.update(sample.get("variables") or {})
    values["settings"] = settings_of(recipe, sample.get("settings") or {})
    return values


def render(folder, samples, output):
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    env = environment()
    for path in sorted(samples.glob("*.yaml")):
        sample = yaml.safe_load(path.read_text())
        values = variables(recipe, sample)
        target = output / folder.name / path.stem
        target.mkdir(parents=True, exist_ok=True)
        for name, entry in (recipe.get("templates") or {}).items():
            # Byte for byte: some files need lines that end with CR LF.
            text = (folder / entry["path"]).resolve().read_bytes().decode()
            values.update(filename=name, filetype=entry["kind"])
            (target / name).write_bytes(env.render_str(text, name, **values).encode())


def main():
    recipes, samples, output = (pathlib.Path(argument) for argument in sys.argv[1:4])
    wanted = sys.argv[4:] or sorted(path.parent.name for path in recipes.glob("*/recipe.yaml"))
    for name in wanted:
        render(recipes / name, samples, output)


if __name__ == "__main__":
    main()
