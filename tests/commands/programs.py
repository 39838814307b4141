"""The programs in documents, as a reader takes them over."""

import contextlib
import doctest
import io
import json
import os
import re
import subprocess

from documents import Mistake, compare


class Rust:
    """Compiles programs as a crate does whose only dependency is serried.

    rustc is told of serried alone, so a program that needs anything else does not compile, whatever serried or its tests
    need themselves. What a program does need, the section of the document says: `cargo add NAME`.
    """

    def __init__(self, cargo, checkout, target, flags, folder):
        self.folder = folder
        command = [cargo, "build", "--example", "hello", *flags, "--message-format=json-render-diagnostics"]
        built = subprocess.run(command, cwd=checkout, env=dict(os.environ, CARGO_TARGET_DIR=target),
                               stdout=subprocess.PIPE, text=True, check=True).stdout
        self.libraries, self.folders = {}, []
        for message in map(json.loads, built.splitlines()):
            if message["reason"] == "compiler-artifact" and {"lib", "proc-macro"} & set(message["target"]["kind"]):
                best = sorted(message["filenames"], key=lambda name: name.endswith((".rlib", ".so")))[-1]
                self.libraries[message["target"]["name"]] = best
            self.folders += message.get("linked_paths", [])

    def check(self, block, run):
        """Compiles a program, and says what is wrong; with `run`, returns what it prints."""
        text = block.text
        if "fn main()" not in text:
            text = "fn main() {\n" + text + "}\n"
        source = os.path.join(self.folder, re.sub(r"\W", "_", block.place) + ".rs")
        program = source.removesuffix(".rs")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        command = ["rustc", "--edition", "2024", "-D", "warnings", "-C", "debuginfo=0", source, "-o", program]
        command += ["--emit", "link" if run else "metadata"]
        for name in ["serried", *re.findall(r"cargo add ([\w-]+)", block.section)]:
            if name not in self.libraries:
                raise Mistake(f"{block.place}: needs {name}, which this test does not have")
            command += ["--extern", f"{name}={self.libraries[name]}"]
        command += ["-L", f"dependency={os.path.dirname(self.libraries['serried'])}"]
        for folder in self.folders:
            command += ["-L", folder]
        compiled = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if compiled.returncode != 0:
            raise Mistake(f"{block.place}: does not compile in a crate that has done what the page says:\n{compiled.stdout}")
        if not run:
            return None
        ended = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        if ended.returncode != 0:
            raise Mistake(f"{block.place}: ends with {ended.returncode}:\n{ended.stdout}")
        return ended.stdout


def check_python(block):
    """Runs a session, or statements of which each `print` says behind it what it prints."""
    if ">>>" in block.text:
        test = doctest.DocTestParser().get_doctest(block.text, {}, block.place, block.path, block.line)
        report = io.StringIO()
        if doctest.DocTestRunner().run(test, out=report.write).failed:
            raise Mistake(f"{block.place}: {report.getvalue()}")
        return
    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        exec(compile(block.text, block.place, "exec"), {})
    shown = "\n".join(re.findall(r"^print\(.*\) +# (.*)$", block.text, re.MULTILINE))
    if shown and (difference := compare(shown, report.getvalue())):
        raise Mistake(f"{block.place}: {difference}")
