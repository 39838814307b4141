//! The dictionary in a header of an .npy file: a Python literal of which only a little can occur.

/// What the dictionary says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dictionary {
    pub(super) descr: Descr,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

/// The type of the elements, in NumPy's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Descr {
    Plain(String),
    /// A list of fields, or a type with a shape of its own.
    Structured,
}

/// Arrays of NumPy have no more axes.
const MOST_AXES: usize = 64;

/// Reads the dictionary, of which every key must be there once, and nothing behind it but white space.
pub(super) fn parse(text: &str) -> Result<Dictionary, String> {
    let mut cursor = Cursor { text, at: 0 };
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    cursor.expect('{')?;
    while !cursor.take('}') {
        let key = cursor.string()?;
        cursor.expect(':')?;
        let again = match key {
            "descr" => descr.replace(cursor.descr()?).is_some(),
            "fortran_order" => fortran_order.replace(cursor.boolean()?).is_some(),
            "shape" => shape.replace(cursor.lengths()?).is_some(),
            _ => return Err(format!("its header has the unknown key {key:?}")),
        };
        if again {
            return Err(format!("its header has the key {key:?} twice"));
        }
        if !cursor.take(',') {
            cursor.expect('}')?;
            break;
        }
    }
    cursor.end()?;
    let missing = |key: &str| format!("its header has no key {key:?}");
    Ok(Dictionary {
        descr: descr.ok_or_else(|| missing("descr"))?,
        fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
    })
}

/// A place in the text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// What follows the white space.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_ascii_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("its header has something else than {expected} at character {}", self.at))
    }

    fn take(&mut self, token: char) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn expect(&mut self, token: char) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { self.wrong(&format!("`{token}`")) }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.rest().is_empty() { Ok(()) } else { self.wrong("its end") }
    }

    /// A string without escapes, in quotes of either kind.
    fn string(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|quote| ['\'', '"'].contains(quote));
        let Some(length) = quote.and_then(|quote| rest[1..].find(quote)) else {
            return self.wrong("a string");
        };
        let string = &rest[1..=length];
        if string.contains('\\') {
            return self.wrong("a string without escapes");
        }
        self.at += length + 2;
        Ok(string)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        let rest = self.rest();
        for (word, value) in [("True", true), ("False", false)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        self.wrong("`True` or `False`")
    }

    /// A string, or something in brackets that is only skipped.
    fn descr(&mut self) -> Result<Descr, String> {
        if !self.rest().starts_with(['[', '(']) {
            return Ok(Descr::Plain(self.string()?.to_owned()));
        }
        let mut open = 0usize;
        loop {
            let rest = self.rest();
            match rest.chars().next() {
                None => return self.wrong("`]`"),
                Some('\'' | '"') => {
                    self.string()?;
                    continue;
                }
                Some('[' | '(') => open += 1,
                Some(']' | ')') => open -= 1,
                Some(_) => {}
            }
            self.at += rest.chars().next().map_or(0, char::len_utf8);
            if open == 0 {
                return Ok(Descr::Structured);
            }
        }
    }

    /// A tuple of lengths: `()`, `(3,)`, `(3, 4)`.
    fn lengths(&mut self) -> Result<Vec<usize>, String> {
        let mut lengths = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            lengths.push(self.length()?);
            if lengths.len() > MOST_AXES {
                return Err(format!("its header has more than {MOST_AXES} axes"));
            }
            if !self.take(',') {
                // In Python `(3)` is a number and no tuple.
                if lengths.len() == 1 {
                    return self.wrong("`,`");
                }
                self.expect(')')?;
                break;
            }
        }
        Ok(lengths)
    }

    /// A number, behind which Python 2 may have written an `L`.
    fn length(&mut self) -> Result<usize, String> {
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let Ok(length) = rest[..digits].parse() else {
            return self.wrong("a length");
        };
        self.at += digits;
        if self.text[self.at..].starts_with('L') {
            self.at += 1;
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dictionaries_as_python_writes_them() {
        let expected =
            Dictionary { descr: Descr::Plain("<f8".into()), fortran_order: false, shape: vec![3, 4] };
        for text in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }    \n",
            "{\"shape\":(3,4,),'fortran_order':False,\"descr\":\"<f8\"}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3L, 4L)}\n",
        ] {
            assert_eq!(parse(text), Ok(expected.clone()), "{text}");
        }
        let lengths = |text: &str| {
            parse(&format!(
                "{{'descr': [('a', '<f8', (2,)), ('b]', 'O')], 'fortran_order': True, 'shape': {text}}}"
            ))
            .map(|found| (found.descr, found.fortran_order, found.shape))
        };
        assert_eq!(lengths("()"), Ok((Descr::Structured, true, vec![])));
        assert_eq!(lengths("(5,)"), Ok((Descr::Structured, true, vec![5])));
        for wrong in ["(5)", "(5,,)", "(,)", "5", "(-1,)", "(1.5,)", "(99999999999999999999,)", "(1", "[1]"] {
            assert!(lengths(wrong).is_err(), "{wrong}");
        }
        assert!(lengths(&format!("({})", "1,".repeat(65))).is_err());
    }

    #[test]
    fn what_is_missing_twice_or_too_much_is_named() {
        for (text, word) in [
            ("{'descr': '<f8', 'shape': ()}", "\"fortran_order\""),
            ("{'descr': '<f8', 'fortran_order': False}", "\"shape\""),
            ("{'fortran_order': False, 'shape': ()}", "\"descr\""),
            ("{'descr': '<f8', 'descr': '<f8'}", "twice"),
            ("{'descr': '<f8', 'order': 'C'}", "\"order\""),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': ()} x", "its end"),
            ("{'descr': '<\\x668', 'fortran_order': False, 'shape': ()}", "escapes"),
            ("{'descr': 7}", "a string at character 10"),
            ("", "`{`"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}", noise in r#"[\[\]{}(),'":TrueFalse0-9 L<]{0,40}"#) {
            let _ = parse(&text);
            let _ = parse(&noise);
            let _ = parse(&format!("{{'descr': {noise}, 'fortran_order': {noise}, 'shape': ({noise}"));
            let _ = parse(&format!("{{'shape': ({noise}), 'descr': [{text}"));
        }

        #[test]
        fn a_changed_character_is_seen_or_makes_no_panic(at in 0usize..60, c in any::<char>()) {
            let mut text: Vec<char> =
                "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }".chars().collect();
            let at = at % text.len();
            text[at] = c;
            let _ = parse(&text.into_iter().collect::<String>());
        }
    }
}
