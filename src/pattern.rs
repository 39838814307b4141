//! Files whose paths match a pattern, as shells match them.
//!
//! The `glob` crate walks as well, but its walk passes over names that are not UTF-8, and it either matches names
//! that begin with a dot by `*` or does not match them by `.*`. So the walk is here, and one name is matched there.

use glob::{MatchOptions, Pattern};
use std::{
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// A folder that could not be looked through.
pub(crate) type Unreadable = (PathBuf, io::Error);

/// What a component of a pattern matches.
enum Part {
    Name(OsString),
    Names(Pattern),
    /// Folders of any depth.
    Depth,
}

/// The files that `pattern` matches, in the order of their names; folders are left out, so that a pattern that ends
/// with `/` matches nothing.
///
/// A component that is no pattern of itself, as `x[1]`, is a name if something has that name.
///
/// # Errors
/// What is wrong with the pattern.
pub(crate) fn files(pattern: &Path) -> Result<Vec<Result<PathBuf, Unreadable>>, String> {
    if pattern.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Ok(Vec::new());
    }
    let (mut start, mut parts) = (PathBuf::new(), Vec::new());
    for component in pattern.components() {
        let part = match component {
            Component::Normal(name) => part(&start, name, parts.is_empty())?,
            other => Part::Name(other.as_os_str().to_owned()),
        };
        match part {
            Part::Name(name) if parts.is_empty() => start.push(name),
            Part::Depth if matches!(parts.last(), Some(Part::Depth)) => {}
            part => parts.push(part),
        }
    }
    if matches!(parts.last(), Some(Part::Depth)) {
        parts.push(Part::Names(Pattern::new("*").map_err(|error| error.to_string())?));
    }
    let mut walk = Walk::default();
    walk.from(&start, &parts);
    walk.found.sort_by(|a, b| path_of(a).cmp(path_of(b)));
    walk.found.dedup_by(|a, b| path_of(a) == path_of(b));
    Ok(walk.found)
}

/// A component of a pattern; `start` is the folder before it, if that is known.
fn part(start: &Path, name: &std::ffi::OsStr, start_is_known: bool) -> Result<Part, String> {
    let Some(text) = name.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return Ok(Part::Name(name.to_owned()));
    };
    if text == "**" {
        return Ok(Part::Depth);
    }
    let pattern = Pattern::new(&as_glob(text)?);
    let matches_itself = pattern.as_ref().is_ok_and(|pattern| pattern.matches(text));
    if !matches_itself && start_is_known && start.join(name).symlink_metadata().is_ok() {
        return Ok(Part::Name(name.to_owned()));
    }
    pattern.map(Part::Names).map_err(|error| error.to_string())
}

/// The classes of characters that POSIX names, as the ranges of ASCII that they are in brackets.
const CLASSES: [(&str, &str); 12] = [
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("blank", " \t"),
    ("cntrl", "\0-\x1f\x7f"),
    ("digit", "0-9"),
    ("graph", "\"-~!"),
    ("lower", "a-z"),
    ("print", " -~"),
    ("punct", ":-@[-`{-~!-/"),
    ("space", " \t-\r"),
    ("upper", "A-Z"),
    ("xdigit", "0-9A-Fa-f"),
];

/// A pattern of a shell as one of the `glob` crate, which knows neither `[^a]` nor `[[:alpha:]]`.
///
/// # Errors
/// There is no class of that name.
fn as_glob(text: &str) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(open) = rest.find('[') {
        let (before, inside) = rest.split_at(open + 1);
        out.push_str(before);
        rest = inside;
        if let Some(behind) = rest.strip_prefix(['!', '^']) {
            out.push('!');
            rest = behind;
        }
        // A bracket that comes first is a character of the set.
        let mut is_first = true;
        while let Some(next) = rest.chars().next() {
            if let Some((name, behind)) = rest.strip_prefix("[:").and_then(|class| class.split_once(":]")) {
                let class = CLASSES.iter().find(|(known, _)| *known == name);
                out.push_str(class.ok_or_else(|| format!("there is no class of characters [:{name}:]"))?.1);
                rest = behind;
            } else {
                out.push(next);
                rest = &rest[next.len_utf8()..];
                if next == ']' && !is_first {
                    break;
                }
            }
            is_first = false;
        }
    }
    Ok(out + rest)
}

fn path_of(found: &Result<PathBuf, Unreadable>) -> &Path {
    match found {
        Ok(path) | Err((path, _)) => path,
    }
}

#[derive(Default)]
struct Walk {
    found: Vec<Result<PathBuf, Unreadable>>,
    /// The folders around the present one, so that a link to one of them is no endless path.
    around: Vec<PathBuf>,
}

impl Walk {
    fn from(&mut self, folder: &Path, parts: &[Part]) {
        match parts {
            // A link that leads nowhere is an error when it is opened.
            [] if folder.symlink_metadata().is_ok() && !folder.is_dir() => {
                self.found.push(Ok(folder.to_owned()));
            }
            [] => {}
            [Part::Name(name), rest @ ..] => self.from(&folder.join(name), rest),
            [Part::Names(pattern), rest @ ..] => {
                for name in self.names(folder) {
                    if pattern.matches_with(&name.to_string_lossy(), LIKE_SHELLS) {
                        let path = folder.join(name);
                        if rest.is_empty() || path.is_dir() {
                            self.from(&path, rest);
                        }
                    }
                }
            }
            [Part::Depth, rest @ ..] => self.depth(folder, parts, rest),
        }
    }

    fn depth(&mut self, folder: &Path, parts: &[Part], rest: &[Part]) {
        let real = fs::canonicalize(folder_of(folder)).unwrap_or_else(|_| folder.to_owned());
        if self.around.contains(&real) {
            return;
        }
        self.around.push(real);
        self.from(folder, rest);
        for name in self.names(folder) {
            let path = folder.join(&name);
            if !name.to_string_lossy().starts_with('.') && path.is_dir() {
                self.from(&path, parts);
            }
        }
        self.around.pop();
    }

    /// The names in a folder. One that is not there, or is none, has no names.
    fn names(&mut self, folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder_of(folder)).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
        });
        match entries {
            Ok(names) => names,
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
                    self.found.push(Err((folder.to_owned(), error)));
                }
                Vec::new()
            }
        }
    }
}

/// A dot at the beginning of a name is matched by a dot alone.
const LIKE_SHELLS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

fn folder_of(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &Path, pattern: &str) -> Vec<String> {
        let files = files(&folder.join(pattern)).expect("a pattern");
        let text = |file: Result<PathBuf, Unreadable>| {
            let file = file.expect("readable");
            file.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned()
        };
        files.into_iter().map(text).collect()
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("room");
            fs::write(path, "").expect("room");
        }
        folder
    }

    #[test]
    fn a_dot_at_the_beginning_is_matched_by_a_dot_alone() {
        let folder = folder(&["a", "b.c", ".d", ".out.txt.0123.part", ".hidden/e", "sub/f", "sub/.g"]);
        let check = |pattern: &str, expected: &[&str]| {
            assert_eq!(found(folder.path(), pattern), expected, "{pattern}");
        };
        check("*", &["a", "b.c"]);
        check("?d", &[]);
        check("[.]d", &[]);
        check("[!x]d", &[]);
        check("[^x]d", &[]);
        check(".*", &[".d", ".out.txt.0123.part"]);
        check(".?", &[".d"]);
        check("*/*", &["sub/f"]);
        check(".hidden/*", &[".hidden/e"]);
        check("sub/.*", &["sub/.g"]);
        check("**/*", &["a", "b.c", "sub/f"]);
        check("**", &["a", "b.c", "sub/f"]);
        check("**/.*", &[".d", ".out.txt.0123.part", "sub/.g"]);
        check("*/../a", &["sub/../a"]);
    }

    #[test]
    fn names_with_brackets_and_stars_are_found() {
        let folder = folder(&["x[1]/a", "x[1]/b", "y1", "y[1]", "*", "z"]);
        assert_eq!(found(folder.path(), "x[1]/*"), ["x[1]/a", "x[1]/b"]);
        assert_eq!(found(folder.path(), "y[1]"), ["y[1]"]);
        assert_eq!(found(folder.path(), "y[[]1]"), ["y[1]"]);
        assert_eq!(found(folder.path(), "y[0-9]"), ["y1"]);
        // Not only the file that has this name.
        assert_eq!(found(folder.path(), "*"), ["*", "y1", "y[1]", "z"]);
        assert!(files(Path::new("no-such[")).is_err());
        assert!(files(Path::new("a**b")).is_err());
    }

    #[test]
    fn classes_are_sets_of_ascii() {
        let folder = folder(&["a", "B", "7", "-", "_", "]", "é", "ab", "7x"]);
        let check = |pattern: &str, expected: &[&str]| {
            assert_eq!(found(folder.path(), pattern), expected, "{pattern}");
        };
        check("[[:alpha:]]", &["B", "a"]);
        check("[[:alpha:]7]", &["7", "B", "a"]);
        check("[^[:alpha:]]", &["-", "7", "]", "_", "é"]);
        check("[![:alnum:]_]", &["-", "]", "é"]);
        check("[[:digit:]][[:lower:]]", &["7x"]);
        check("[[:punct:]]", &["-", "]", "_"]);
        check("[]_]", &["]", "_"]);
        check("[^]_]", &["-", "7", "B", "a", "é"]);
        check("[[:upper:][:digit:]]", &["7", "B"]);
        check("a*/", &[]);
        // Without brackets around it, a class is a set of these letters.
        check("[:alph:]", &["a"]);
        assert!(files(Path::new("[[:letter:]]")).is_err());
    }

    #[test]
    #[cfg(unix)]
    fn links_are_followed_once_and_any_bytes_are_a_name() {
        use std::os::unix::{ffi::OsStrExt, fs::symlink};
        let folder = folder(&["a/b"]);
        symlink(folder.path(), folder.path().join("a/up")).expect("a link");
        symlink("nowhere", folder.path().join("a/broken")).expect("a link");
        assert_eq!(found(folder.path(), "**/b"), ["a/b"]);
        assert_eq!(found(folder.path(), "a/*"), ["a/b", "a/broken"]);
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xE9")), "").expect("room");
        assert_eq!(found(folder.path(), "c*"), ["caf\u{fffd}"]);
    }
}
