//! The key of one piece of work under a seed.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The first word of the keys that the runtime makes by itself, which no
/// explicit [`Key`] may begin with.
///
/// ```
/// use serried::random::{Key, KeyError, RESERVED};
///
/// assert_eq!(Key::new([u64::from(RESERVED), 0]), Err(KeyError::Reserved));
/// assert!(Key::new([0, u64::from(RESERVED)]).is_ok());
/// ```
pub const RESERVED: u32 = u32::MAX;

/// An explicit spawn key: the words that name one piece of work under a seed.
///
/// The words are what NumPy calls `spawn_key`. NumPy also takes larger elements
/// but flattens them, so that `(2**32,)` and `(0, 1)` are one stream; here an
/// element is one word and a larger one is refused.
///
/// ```
/// use serried::random::{Key, Seed, Stream};
///
/// let key = Key::new([3, 7])?;
/// assert_eq!(key, "3,7".parse()?);
/// assert_eq!(key.to_string(), "(3, 7)");
/// let stream = Stream::new(&Seed::from(42u64), &key);
/// # let _ = stream;
/// # Ok::<(), serried::random::KeyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct Key {
    words: Vec<u32>,
}

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// An element does not fit into one word.
    #[error(
        "element {position} of the key is {value}, and the largest is 4294967295; \
         use two elements, such as {}, {}", value >> 32, *value as u32
    )]
    ElementTooLarge {
        /// Its position in the key, from 0.
        position: usize,
        /// The element.
        value: u64,
    },
    /// The first element is [`RESERVED`].
    #[error(
        "a key may not begin with {RESERVED}, which is reserved for the keys \
         that the runtime makes; begin with a smaller number"
    )]
    Reserved,
    /// A part of a text is not a number of up to 64 bits.
    #[error("{text:?} is not an element of a key; write numbers and commas, such as 3,7")]
    NotANumber {
        /// The part.
        text: String,
    },
    /// Two pieces of work were given the same key.
    #[error(
        "the key {} was used twice, and both pieces of work would draw the same numbers; \
         give each its own key",
        Words(key)
    )]
    UsedTwice {
        /// The words of the key; of several, the smallest.
        key: Vec<u32>,
    },
}

impl Key {
    /// The key of the given elements.
    ///
    /// # Errors
    /// If an element is 2^32 or more, or the first one is [`RESERVED`].
    ///
    /// ```
    /// use serried::random::{Key, KeyError};
    ///
    /// assert_eq!(Key::new([3, 7])?.words(), [3, 7]);
    /// let error = Key::new([3, 1 << 32]).unwrap_err();
    /// assert_eq!(error, KeyError::ElementTooLarge { position: 1, value: 1 << 32 });
    /// # Ok::<(), KeyError>(())
    /// ```
    pub fn new(elements: impl IntoIterator<Item = u64>) -> Result<Self, KeyError> {
        let words: Vec<u32> = elements
            .into_iter()
            .enumerate()
            .map(|(position, value)| {
                u32::try_from(value).map_err(|_| KeyError::ElementTooLarge { position, value })
            })
            .collect::<Result<_, _>>()?;
        Self::try_from(words)
    }

    /// The words of the key.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }
}

impl Deref for Key {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.words
    }
}

impl TryFrom<Vec<u32>> for Key {
    type Error = KeyError;

    /// # Errors
    /// If the first word is [`RESERVED`].
    fn try_from(words: Vec<u32>) -> Result<Self, KeyError> {
        if words.first() == Some(&RESERVED) {
            return Err(KeyError::Reserved);
        }
        Ok(Self { words })
    }
}

impl From<Key> for Vec<u32> {
    fn from(key: Key) -> Self {
        key.words
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Reads numbers with commas between them, as on a command line, or what
    /// `Display` writes. The empty text is the empty key.
    ///
    /// ```
    /// use serried::random::Key;
    ///
    /// for text in ["3,7", "3, 7", "(3, 7)"] {
    ///     assert_eq!(text.parse::<Key>()?.words(), [3, 7]);
    /// }
    /// assert!("".parse::<Key>()?.is_empty());
    /// assert!("3,-7".parse::<Key>().is_err());
    /// # Ok::<(), serried::random::KeyError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let tuple = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        // A tuple of one element has a comma behind it.
        let list = tuple.map_or(text, |inner| inner.strip_suffix(',').unwrap_or(inner));
        if list.trim().is_empty() {
            return Ok(Self::default());
        }
        let elements = list.split(',').map(|part| {
            let part = part.trim();
            // `parse` would take a sign as well.
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits).ok_or_else(|| KeyError::NotANumber { text: part.to_owned() })
        });
        Self::new(elements.collect::<Result<Vec<u64>, _>>()?)
    }
}

impl fmt::Display for Key {
    /// The tuple that NumPy takes as `spawn_key`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Words(&self.words).fmt(formatter)
    }
}

/// The words of a key as a Python tuple.
struct Words<'a>(&'a [u32]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => write!(formatter, "()"),
            [only] => write!(formatter, "({only},)"),
            [first, rest @ ..] => {
                write!(formatter, "({first}")?;
                rest.iter().try_for_each(|word| write!(formatter, ", {word}"))?;
                write!(formatter, ")")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        for words in [vec![], vec![0], vec![4_294_967_294], vec![1, 4_294_967_295]] {
            let key = Key::try_from(words).unwrap();
            assert_eq!(key.to_string().parse::<Key>(), Ok(key));
        }
        assert_eq!(Key::new([5]).unwrap().to_string(), "(5,)");
    }

    #[test]
    fn texts_that_are_no_keys_are_refused() {
        for text in ["3,,7", ",", "3,", "+3", "(3", "3 7", "0x3", "18446744073709551616"] {
            let error = text.parse::<Key>().unwrap_err();
            assert!(matches!(error, KeyError::NotANumber { .. }), "{text}: {error}");
        }
        assert_eq!("4294967295".parse::<Key>(), Err(KeyError::Reserved));
        let error = "1,4294967296".parse::<Key>().unwrap_err();
        assert_eq!(error, KeyError::ElementTooLarge { position: 1, value: 1 << 32 });
        assert!(error.to_string().ends_with("use two elements, such as 1, 0"), "{error}");
    }

    #[test]
    fn serde_validates() {
        let key = Key::new([3, 7]).unwrap();
        assert_eq!(serde_json::to_string(&key).unwrap(), "[3,7]");
        assert_eq!(serde_json::from_str::<Key>("[3,7]").unwrap(), key);
        assert!(serde_json::from_str::<Key>("[4294967295]").is_err());
        assert!(serde_json::from_str::<Key>("[4294967296]").is_err());
    }
}
