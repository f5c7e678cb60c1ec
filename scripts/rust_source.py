"""Reads Rust source as text for scripts/imports, scripts/words and scripts/measure-style: tokens, `use` trees, literals.

It knows no types and expands no macros. What it must not do: decide what is wrong; that is for the scripts.
"""
import re

TOKEN = re.compile(
    r'(?P<skip>//[^\n]*|/\*.*?\*/|[bc]?r(?P<h>#*)".*?"(?P=h)|[bc]?"(?:\\.|[^"\\])*"|b?\'(?:\\.[^\']*|[^\'\\])\')'
    r'|(?P<line>\n)|(?P<path>(?:\$crate|[A-Za-z_]\w*)(?:\s*::\s*[A-Za-z_]\w*)*(?:\s*::)?)|(?P<sign>[{}\[\]();,*#!=<>])', re.S)


class File:
    def __init__(self, path, module):
        self.path, self.module, self.children = path, module, set()
        self.uses, self.doors, self.test_children = [], {}, set()  # uses: (line, tuple)


def tokens(text):
    line = 1
    for match in TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "h" else "skip"
        if kind == "line":
            line += 1
        elif kind == "skip" or match["skip"] is not None:
            line += match[0].count("\n")
        else:
            yield kind, re.sub(r"\s", "", match[0]), line
            line += match[0].count("\n")


def tree(items, prefix=()):
    """Flattens the tokens of a `use` tree into (path, alias)."""
    path = list(prefix)
    while items:
        kind, text, _ = items.pop(0)
        if text == "{":
            while True:
                yield from tree(items, tuple(path))
                if not items or items.pop(0)[1] == "}":
                    break
            return
        if kind == "path":
            if text == "as":
                yield tuple(path), items.pop(0)[1]
                return
            path += [part for part in text.split("::") if part]
        if text == "*":
            path.append("*")
        if not items or items[0][1] in ",}":
            break
    if len(path) > len(prefix):
        yield (tuple(path[:-1]), path[-2] if len(path) > 1 else None) if path[-1] == "self" else (tuple(path), path[-1])


def read(file, with_tests):
    stream = list(tokens(file.path.read_text()))
    stack, depth, test, public, index = [], 0, False, False, 0
    while index < len(stream):
        kind, text, line = stream[index]
        index += 1
        inside = file.module + tuple(name for name, _, _ in stack if name)
        skipped = not with_tests and any(hidden for _, _, hidden in stack)
        if text == "#" and index < len(stream) and stream[index][1] in "[!":
            start, level = index, 0
            while index < len(stream):
                level += (stream[index][1] == "[") - (stream[index][1] == "]")
                index += 1
                if level == 0 and stream[index - 1][1] == "]":
                    break
            words = [t for _, t, _ in stream[start:index]]
            test |= "cfg" in words and "test" in words and "not" not in words
            if not skipped:
                file.uses += [(l, resolve_start(inside, t)) for k, t, l in stream[start:index] if k == "path" and "::" in t]
        elif text == "mod" and kind == "path":
            name = stream[index][1]
            if stream[index + 1][1] == "{":
                stack.append((name, depth, test))
                depth += 1
                index += 2
            elif test:
                file.test_children.add(inside + (name,))
            test = False
        elif text == "use" and kind == "path" and stream[index][0] == "path" or text == "use" and stream[index][1] == "{":
            end = index
            while end < len(stream) and stream[end][1] != ";":
                end += 1
            if end == len(stream):  # the `use` of an SVG inside html!
                continue
            for path, alias in tree(stream[index:end]):
                target = resolve_start(inside, "::".join(path))
                if public and alias and not stack:
                    file.doors[alias] = target
                if not skipped and not (test and not with_tests):
                    file.uses.append((line, target, "pub" if public else ""))
            index, test, public = end, False, False
        elif text in "{}":
            depth += 1 if text == "{" else -1
            if text == "}" and stack and stack[-1][1] == depth:
                stack.pop()
            test = public = False
        elif kind == "path":
            if text == "pub":
                public = True
            elif "::" in text and not skipped:
                file.uses.append((line, resolve_start(inside, text)))
        elif text == ";":
            test = public = False


def resolve_start(inside, text):
    """The absolute path, as far as the text shows it; a path that begins with another name is relative to `inside`."""
    parts, here = [part for part in text.split("::") if part], list(inside)
    if parts[:1] in (["crate"], ["$crate"]):
        return tuple(inside[:1]) + tuple(parts[1:])
    if parts[:1] == ["self"]:
        return tuple(here + parts[1:])
    if parts[:1] == ["super"]:
        while parts[:1] == ["super"]:
            parts.pop(0)
            here.pop()
        return tuple(here + parts)
    return ("?", tuple(inside)) + tuple(parts)


LITERAL = re.compile(r'(?P<doc>//[/!][^\n]*)|(?P<note>//[^\n]*)|(?P<block>/\*.*?\*/)'
                     r'|[bc]?r(?P<h>#*)"(?P<raw>.*?)"(?P=h)|[bc]?"(?P<text>(?:\\.|[^"\\])*)"|b?\'(?:\\.[^\']*|[^\'\\])\'|[A-Za-z_]\w*', re.S)
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|VALUES|WHERE)\b")


def pieces(text):
    """The texts of a source file: (kind, text, line), where kind is `doc`, `comment`, `string`, `sql` or `name`. Comments on
    following lines are one piece, so that a phrase that a line break divides is found."""
    open_piece, last_end = None, 0
    for match in LITERAL.finditer(text):
        kind, found = match.lastgroup, match[0]
        line = text.count("\n", 0, match.start()) + 1
        if kind in ("doc", "note", "block"):
            kind, words = "doc" if kind == "doc" else "comment", re.sub(r"^(//[/!]?|/\*)", "", found)
            joined = open_piece and open_piece[0] == kind and not text[last_end:match.start()].strip() and text.count("\n", last_end, match.start()) == 1
            if joined:
                open_piece = (kind, open_piece[1] + "\n" + words, open_piece[2])
            else:
                if open_piece:
                    yield open_piece
                open_piece = (kind, words, line)
            last_end = match.end()
            continue
        if open_piece:
            yield open_piece
            open_piece = None
        if match["text"] is not None or match["raw"] is not None:
            literal = match["raw"] if match["raw"] is not None else re.sub(r"\\\n\s*", lambda gap: "\n" * gap[0].count("\n"), match["text"])
            yield "sql" if SQL.search(literal) else "string", literal, line
        elif found[0] not in "'b\"" or found.isidentifier():
            yield "name", found, line
    if open_piece:
        yield open_piece
