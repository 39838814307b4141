"""What a document asks its reader to type, and what it says comes of it.

A block of `sh` is commands, one a line. In a block of `text` or `console`, lines that begin with `$ ` are commands and
those below are what they print, exactly, on stdout; `...` stands for any lines. Two such transcripts may stand side by
side. A comment before the block, which nobody sees, says where that does not hold:

    <!-- typed: not, REASON -->               nothing of the block is typed, compiled or run
    <!-- typed: except COMMAND: REASON -->    lines that begin with COMMAND are not
    <!-- typed: smaller OLD => NEW -->        typed with less to do
    <!-- typed: varies REGEX -->              what is printed differs from run to run where it matches
    <!-- typed: printed by the program above -->    the block is what the last block of `rust` prints
"""

import glob
import re
from dataclasses import dataclass, field

FENCE = re.compile(r"^( *)```(\w*)(.*)")
MARKER = re.compile(r"^<!-- typed: (.*) -->$")
COMMAND = re.compile(r"^(\w+=\S* )*(cargo|mpirun|mpiexec|srun|sbatch|salloc|cmake|ctest|scripts/|tests/|target/|jobscripts/)")
# Lines that a page may show without being asked to type them are in blocks of these.
LANGUAGES = {"sh", "text", "console", "rust", "python"}


class Mistake(Exception):
    """Of a document."""


@dataclass
class Command:
    place: str  # FILE:LINE
    text: str
    shown: list[str] | None = None  # what it prints, if the document says so
    varies: str | None = None


@dataclass
class Block:
    path: str
    line: int
    language: str
    lines: list[str]
    section: str  # the text from the heading on, with the paragraph behind the block
    markers: dict[str, list[str]] = field(default_factory=dict)

    @property
    def place(self):
        return f"{self.path}:{self.line}"

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def blocks(path, text):
    """The blocks of a page, or of the documentation that a program begins with."""
    if path.endswith(".rs"):
        text = "\n".join(re.sub(r"^//! ?", "", line) for line in text.splitlines() if line.startswith("//!"))
    found, markers, inside, heading = [], [], None, 0
    lines = text.splitlines()
    for index, line in enumerate(lines):
        fence = FENCE.match(line)
        if inside is not None:
            if fence:
                end = next((i for i in range(index + 1, len(lines)) if re.match(r"#|```", lines[i])), len(lines))
                inside.section = "\n".join(lines[heading:inside.line - 1] + lines[index + 1:end])
                found.append(inside)
                inside = None
            else:
                inside.lines.append(line.removeprefix(indent))
        elif fence:
            indent = fence.group(1)
            inside = Block(path, index + 1, fence.group(2), [], "", marked(path, index, markers))
            markers = []
            if "compile_fail" in fence.group(3):
                inside.markers["not"] = ["it is said not to compile"]
            if inside.language not in LANGUAGES:
                raise Mistake(f"{inside.place}: a block of {inside.language or 'no language'}; there are {sorted(LANGUAGES)}")
        elif marker := MARKER.match(line.strip()):
            markers.append(marker.group(1))
        elif "typed:" in line and "<!--" in line:
            raise Mistake(f"{path}:{index + 1}: not a marker: {line.strip()}")
        elif markers:
            raise Mistake(f"{path}:{index + 1}: a marker must stand right before its block")
        elif re.match(r"#+ ", line):
            heading = index
    return found


def marked(path, index, markers):
    known = {}
    for marker in markers:
        word, _, rest = marker.partition(" ")
        word = word.rstrip(",")
        if word not in ("not", "except", "smaller", "varies", "printed") or not rest:
            raise Mistake(f"{path}:{index}: there is no marker `typed: {marker}`")
        known.setdefault(word, []).append(rest)
    return known


def commands(block):
    """What of a block is to be typed."""
    if block.language not in ("sh", "text", "console") or "not" in block.markers or "printed" in block.markers:
        return []
    found = list(plain(block) if block.language == "sh" else transcripts(block))
    for exception in block.markers.get("except", []):
        start = exception.partition(":")[0]
        kept = [command for command in found if not command.text.startswith(start)]
        if len(kept) == len(found):
            raise Mistake(f"{block.place}: no line begins with `{start}`, which a marker excepts")
        found = kept
    for pair in block.markers.get("smaller", []):
        old, _, new = pair.partition(" => ")
        if not any(old in command.text for command in found):
            raise Mistake(f"{block.place}: no line has `{old}`, which a marker makes smaller")
        for command in found:
            command.text = command.text.replace(old, new)
    for command in found:
        command.varies = "|".join(block.markers.get("varies", [])) or None
    return found


def plain(block):
    started = ""
    for number, line in enumerate(block.lines, block.line + 1):
        started += line
        if started.endswith("\\"):
            started = started[:-1]
            continue
        if started.strip() and not started.lstrip().startswith("#"):
            yield Command(f"{block.path}:{number}", started)
        started = ""


def transcripts(block):
    columns, found = [0], []
    for number, line in enumerate(block.lines, block.line + 1):
        place = f"{block.path}:{number}"
        if line.startswith("$ "):
            columns = [0] + [match.end() for match in re.finditer(r"\s{2,}(?=\$ )", line)]
            current = [Command(place, cell[2:], []) for cell in cells(line, columns)]
            found += current
        elif found:
            for command, cell in zip(current, cells(line, columns)):
                command.shown.append(cell)
        elif COMMAND.match(line):
            raise Mistake(f"{place}: a command in a block of text: make it a block of sh, or write `$ ` before it")
    return found


def cells(line, columns):
    return [line[start:end].rstrip() for start, end in zip(columns, columns[1:] + [None])]


def differs(command, printed):
    """How what was printed differs from what is shown, or nothing."""
    if command.shown is None:
        return None
    shown = [line for line in command.shown]
    while shown and not shown[-1]:
        shown.pop()
    return compare("\n".join(shown), printed, command.varies)


def compare(shown, printed, varies=None):
    pattern = []
    for line in shown.rstrip("\n").split("\n"):
        if line == "...":
            pattern.append(r"(?:.*\n)*?")
            continue
        parts, end = "", 0
        for match in re.finditer(varies, line) if varies else ():
            parts += re.escape(line[end:match.start()]) + f"(?:{varies})"
            end = match.end()
        pattern.append(parts + re.escape(line[end:]) + r"[ \t]*\n")
    if re.fullmatch("".join(pattern), printed.rstrip("\n") + "\n"):
        return None
    return f"it is said to print\n{shown}\nand prints\n{printed}"


def names(path, text, targets):
    """What commands within sentences name that is not there: targets of cargo, files of the checkout."""
    for number, line in enumerate(re.sub(r"```.*?```", lambda block: "\n" * block.group().count("\n"), text, flags=re.S).split("\n"), 1):
        for span in re.findall(r"`([^`]+)`", line):
            if not COMMAND.match(span):
                continue
            for kind, name in re.findall(r"--(test|bench|example) (\w+)", span):
                if (kind, name) not in targets:
                    yield f"{path}:{number}: `{span}`: there is no {kind} {name}"
            for file in re.findall(r"(?:^|\s)((?:scripts|tests|jobscripts)/[\w./*-]*\w)", span):
                if not glob.glob(file):
                    yield f"{path}:{number}: `{span}`: there is no {file}"
