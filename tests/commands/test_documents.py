"""What is read out of a document, and what is taken for a mistake in it."""

import unittest

import documents
from documents import Mistake


def commands(text):
    return [command for block in documents.blocks("page.md", text) for command in documents.commands(block)]


def texts(text):
    return [command.text for command in commands(text)]


class Documents(unittest.TestCase):
    def test_a_block_of_sh_is_commands(self):
        self.assertEqual(texts("```sh\n# first\nS=1\n\na \\\n b $S  # two\n```\n"), ["S=1", "a  b $S  # two"])
        self.assertEqual([command.place for command in commands("one\n```sh\na\n\nb\n```\n")], ["page.md:3", "page.md:5"])

    def test_transcripts_stand_side_by_side(self):
        left, right = commands("```text\n$ a --x        $ b\n1              one\n2 and more     two\n```\n")
        self.assertEqual((left.text, left.shown), ("a --x", ["1", "2 and more"]))
        self.assertEqual((right.text, right.shown), ("b", ["one", "two"]))

    def test_headers_of_programs_are_documents(self):
        header = "//! Says hello.\n//!\n//! ```sh\n//! cargo run\n//! ```\n\nfn main() {}\n"
        self.assertEqual([command.text for block in documents.blocks("a.rs", header) for command in documents.commands(block)],
                         ["cargo run"])

    def test_markers_hold_for_the_next_block_alone(self):
        page = "<!-- typed: not, it takes hours -->\n```sh\na\n```\n```sh\nb\n```\n"
        self.assertEqual(texts(page), ["b"])
        page = "<!-- typed: except a: why -->\n<!-- typed: smaller 100 => 1 -->\n```sh\na\nb 100\n```\n"
        self.assertEqual(texts(page), ["b 1"])

    def test_mistakes_of_a_page(self):
        for page in [
            "```text\nmpirun -n 2 hello\n```\n",                  # is that a command?
            "```\nls\n```\n",                                     # and this?
            "<!-- typed: nothing -->\n```sh\na\n```\n",            # no such marker
            "<!-- typed: not, why -->\n\n```sh\na\n```\n",         # not before the block
            "<!-- typed: not -->\n```sh\na\n```\n",                # no reason
            "<!-- typed: except c: why -->\n```sh\na\n```\n",      # of no use any more
            "<!-- typed: smaller 5 => 1 -->\n```sh\na 100\n```\n",
            "<!--typed: not, why-->\n```sh\na\n```\n",
        ]:
            with self.assertRaises(Mistake, msg=page):
                commands(page)

    def test_what_is_printed_is_compared(self):
        def differs(shown, printed, marker=""):
            (command,) = commands(f"{marker}```text\n$ a\n{shown}```\n")
            return documents.differs(command, printed) is not None

        self.assertFalse(differs("1 one\n2 two\n", "1 one\n2 two\n"))
        self.assertTrue(differs("1 one\n2 two\n", "1 one\n2 too\n"))
        self.assertTrue(differs("1 one\n", "1 one\n2 two\n"))
        self.assertTrue(differs("1 one\n2 two\n", "1 one\n"))
        self.assertFalse(differs("1\n...\n4\n", "1\n2\n3\n4\n"))
        self.assertTrue(differs("1\n...\n4\n", "1\n2\n3\n5\n"))
        varies = "<!-- typed: varies rank \\d+ on \\S+ -->\n"
        self.assertFalse(differs("4 (2*2), rank 0 on vm\n", "4 (2*2), rank 31 on node.org\n", varies))
        self.assertTrue(differs("4 (2*2), rank 0 on vm\n", "5 (2*2), rank 0 on vm\n", varies))
        self.assertTrue(differs("4 (2*2), rank 0 on vm\n", "4 (2*2), rank x on vm\n", varies))

    def test_names_in_sentences(self):
        targets = {("test", "sum"), ("bench", "order")}
        wrong = list(documents.names("page.md", "`cargo test --test sum`, `cargo bench --bench other`, `--test no`,\n"
                                     "`scripts/none`\n```sh\nscripts/nothing\n```\n", targets))
        self.assertEqual([mistake.partition(" ")[0] for mistake in wrong], ["page.md:1:", "page.md:2:"])


if __name__ == "__main__":
    unittest.main()
