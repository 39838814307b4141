//! The header of an .npy file: magic bytes, a version, a length, and a dictionary.

use super::super::FileProblem;
use super::literal::{self, Descr};
use crate::DType;
use std::io::Read;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The elements begin at a multiple of this, so that they can be mapped.
const ALIGNMENT: usize = 64;
/// NumPy leaves room for the digits of a length that grows.
const GROWTH_DIGITS: usize = 21;
/// Only the field names of structured types make headers long, and those are refused anyway.
const LONGEST: u32 = 1 << 20;

/// What the header of a file says, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Header {
    pub(crate) dtype: DType,
    /// The bytes of numbers are in the other order than this machine's.
    pub(crate) swapped: bool,
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<usize>,
    /// Where the elements begin.
    pub(crate) data: u64,
}

impl Header {
    /// The header of an array that this machine writes, in C order.
    pub(crate) fn new(dtype: DType, shape: &[usize]) -> (Header, Vec<u8>) {
        let bytes = write(dtype, shape);
        let header = Header {
            dtype,
            swapped: false,
            fortran_order: false,
            shape: shape.to_vec(),
            data: bytes.len() as u64,
        };
        (header, bytes)
    }

    /// The header at the beginning of a file.
    pub(crate) fn read(file: &mut impl Read) -> Result<Header, FileProblem> {
        let start: [u8; 8] = exact(file, 8)?.try_into().map_err(|_| no_npy("it is too short"))?;
        if start.starts_with(b"PK") {
            let reason =
                "it is a zip archive, as `numpy.savez` writes: unpack it, and read the .npy files in it";
            return Err(no_npy(reason));
        }
        if !start.starts_with(MAGIC) {
            return Err(no_npy("it does not begin with \\x93NUMPY"));
        }
        let (version, minor) = (start[6], start[7]);
        let width = match (version, minor) {
            (1, 0) => 2,
            (2 | 3, 0) => 4,
            _ => return Err(no_npy(format!("its version is {version}.{minor}; 1.0, 2.0 and 3.0 are known"))),
        };
        let length =
            exact(file, width)?.iter().rev().fold(0u32, |length, &byte| length << 8 | u32::from(byte));
        if length > LONGEST {
            return Err(no_npy(format!(
                "its header is {length} bytes long, more than the {LONGEST} that are read"
            )));
        }
        let text = exact(file, length as usize)?;
        let text = match version {
            // Latin-1 before version 3.
            1 | 2 => text.into_iter().map(char::from).collect(),
            _ => String::from_utf8(text).map_err(|_| no_npy("its header is no UTF-8"))?,
        };
        let dictionary = literal::parse(&text).map_err(no_npy)?;
        let Descr::Plain(descr) = dictionary.descr else {
            return Err(FileProblem::unknown("records with fields", "record"));
        };
        let (dtype, swapped) = elements(&descr)?;
        let header = Header {
            dtype,
            swapped,
            fortran_order: dictionary.fortran_order,
            shape: dictionary.shape,
            data: 8 + width as u64 + u64::from(length),
        };
        match header.count() {
            Some(_) => Ok(header),
            None => Err(no_npy(format!(
                "the shape {:?} has more elements than memory can ever hold",
                header.shape
            ))),
        }
    }

    /// Checks the length of the whole file.
    pub(crate) fn check_length(&self, found: u64) -> Result<(), FileProblem> {
        let expected = self.file_bytes();
        if found == expected {
            return Ok(());
        }
        Err(FileProblem::Length { found, expected, elements: self.dtype, shape: self.shape.clone() })
    }

    /// The bytes of the whole file.
    pub(crate) fn file_bytes(&self) -> u64 {
        let elements = if self.shape.contains(&0) { 0 } else { self.shape.iter().product() };
        self.data + (elements * self.dtype.size()) as u64
    }

    /// The bytes of the elements if they can be counted; as arrays in memory, those without any element as
    /// if lengths of 0 were 1.
    fn count(&self) -> Option<usize> {
        let lengths = self.shape.iter().filter(|&&length| length > 0);
        let bytes = lengths.copied().try_fold(self.dtype.size(), usize::checked_mul);
        bytes.filter(|&bytes| isize::try_from(bytes).is_ok())
    }
}

fn no_npy(reason: impl Into<String>) -> FileProblem {
    FileProblem::Format { format: ".npy", reason: reason.into() }
}

/// The next bytes of the file; memory is taken only for what is there.
fn exact(file: &mut impl Read, count: usize) -> Result<Vec<u8>, FileProblem> {
    let mut bytes = Vec::new();
    file.take(count as u64).read_to_end(&mut bytes).map_err(FileProblem::system("read"))?;
    if bytes.len() < count {
        return Err(no_npy("it ends inside of its header"));
    }
    Ok(bytes)
}

/// Element type and order of bytes.
fn elements(descr: &str) -> Result<(DType, bool), FileProblem> {
    // As NumPy: the order of bytes may be missing, or be said not to matter; it is that of the machine then.
    let (order, code) = match descr.chars().next() {
        Some(order @ ('<' | '>' | '=' | '|')) => (order, &descr[1..]),
        _ => ('=', descr),
    };
    let dtype = match code {
        "f8" => DType::F64,
        "f4" => DType::F32,
        "i8" => DType::I64,
        "i4" => DType::I32,
        "u1" => DType::U8,
        "b1" => DType::Bool,
        "c16" => DType::Complex64,
        _ => {
            let name = name(code);
            let found = if name.is_empty() { format!("{descr:?}") } else { format!("{descr:?} ({name})") };
            return Err(FileProblem::unknown(found, &name));
        }
    };
    let swapped = match order {
        '<' => cfg!(target_endian = "big"),
        '>' => cfg!(target_endian = "little"),
        _ => false,
    };
    Ok((dtype, swapped && dtype.size() > 1))
}

/// NumPy's name of a type, or nothing if it has none.
fn name(code: &str) -> String {
    let (kind, size) = code.split_at(code.chars().next().map_or(0, char::len_utf8));
    let bits = |name: &str| match size.parse::<u32>() {
        Ok(bytes @ 1..=32) => format!("{name}{}", bytes * 8),
        _ => String::new(),
    };
    match kind {
        "i" => bits("int"),
        "u" => bits("uint"),
        "f" => bits("float"),
        "c" => bits("complex"),
        "O" => "objects of Python".into(),
        "U" => "strings".into(),
        "S" | "a" => "bytes of text".into(),
        "V" => "raw bytes".into(),
        "M" => "datetimes".into(),
        "m" => "timedeltas".into(),
        _ => String::new(),
    }
}

/// The bytes before the elements, as `numpy.save` writes them.
fn write(dtype: DType, shape: &[usize]) -> Vec<u8> {
    let order = match (dtype.size(), cfg!(target_endian = "little")) {
        (1, _) => '|',
        (_, true) => '<',
        (_, false) => '>',
    };
    let code = match dtype {
        DType::F64 => "f8",
        DType::F32 => "f4",
        DType::I64 => "i8",
        DType::I32 => "i4",
        DType::U8 => "u1",
        DType::Bool => "b1",
        DType::Complex64 => "c16",
    };
    let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let lengths = lengths.join(", ") + comma;
    let mut text = format!("{{'descr': '{order}{code}', 'fortran_order': False, 'shape': ({lengths}), }}");
    if let Some(first) = shape.first() {
        let digits = first.to_string().len();
        text.extend(std::iter::repeat_n(' ', GROWTH_DIGITS.saturating_sub(digits)));
    }
    let before = MAGIC.len() + 4;
    let spaces = ALIGNMENT - (before + text.len() + 1) % ALIGNMENT;
    text.extend(std::iter::repeat_n(' ', spaces));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("64 lengths of 20 digits are few bytes");
    [MAGIC, &[1, 0][..], &length.to_le_bytes(), text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(version: u8, dictionary: &str) -> Vec<u8> {
        let mut bytes = [MAGIC, &[version, 0][..]].concat();
        match version {
            1 => bytes.extend((dictionary.len() as u16).to_le_bytes()),
            _ => bytes.extend((dictionary.len() as u32).to_le_bytes()),
        }
        bytes.extend(dictionary.as_bytes());
        bytes
    }

    #[test]
    fn all_versions_and_element_types() {
        for version in 1..=3 {
            for (code, dtype) in [
                ("f8", DType::F64),
                ("f4", DType::F32),
                ("i8", DType::I64),
                ("i4", DType::I32),
                ("u1", DType::U8),
                ("b1", DType::Bool),
                ("c16", DType::Complex64),
            ] {
                for (order, swapped) in [("<", false), (">", true), ("=", false), ("|", false), ("", false)] {
                    let text =
                        format!("{{'descr': '{order}{code}', 'fortran_order': True, 'shape': (2, 0)}}");
                    let bytes = with(version, &text);
                    let header = Header::read(&mut bytes.as_slice()).expect("a header");
                    let said = ["<", ">"].contains(&order);
                    let swapped = said && dtype.size() > 1 && swapped != cfg!(target_endian = "big");
                    let data = bytes.len() as u64;
                    assert_eq!(
                        header,
                        Header { dtype, swapped, fortran_order: true, shape: vec![2, 0], data }
                    );
                    assert_eq!(header.check_length(data), Ok(()));
                }
            }
        }
    }

    #[test]
    fn other_elements_are_named() {
        for (descr, words) in [
            ("'<i2'", "\"<i2\" (int16)"),
            ("'<f2'", "(float16)"),
            ("'<f16'", "(float128)"),
            ("'<u8'", "(uint64)"),
            ("'<c8'", "(complex64)"),
            ("'|O'", "\"|O\" (objects of Python)"),
            ("'<U5'", "\"<U5\" (strings)"),
            ("'|S3'", "bytes of text"),
            ("'<M8[ns]'", "datetimes"),
            ("'|V16'", "raw bytes"),
            ("'i4x'", "\"i4x\""),
            ("'<f'", "\"<f\""),
            ("''", "\"\""),
            ("'é8'", "é8"),
            ("'<fé'", "<fé"),
            ("[('x', '<f8')]", "records"),
        ] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}");
            let error = Header::read(&mut with(3, &text).as_slice()).expect_err(descr);
            assert!(matches!(error, FileProblem::UnknownElements { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn the_advice_fits_the_elements() {
        for (descr, advice) in [
            ("'<i2'", "`a.astype('int32')`"),
            ("'<u4'", "`a.astype('int64')`"),
            ("'<f2'", "`a.astype('float32')`"),
            ("'<f16'", "`a.astype('float64')`"),
            ("'<c8'", "`a.astype('complex128')`"),
            ("'<U5'", "text is no array of numbers"),
            ("'|S3'", "text is no array of numbers"),
            ("'|O'", "without Python"),
            ("'<M8[ns]'", "`a.astype('int64')`"),
            ("'|V16'", "save them as one of these first"),
            ("[('x', '<f8')]", "`np.save(path, a['name'])`"),
        ] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}");
            let error = Header::read(&mut with(3, &text).as_slice()).expect_err(descr).to_string();
            assert!(error.contains(advice), "{error}");
            assert!(!advice.starts_with("text") || !error.contains("astype"), "{error}");
        }
        let error = Header::read(&mut &b"PK\x03\x04 and more"[..]).expect_err("an archive").to_string();
        assert!(error.contains("unpack it"), "{error}");
    }

    #[test]
    fn lengths_are_checked_before_anything_is_read() {
        let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}";
        let error = Header::read(&mut with(1, text).as_slice()).expect_err("too large");
        assert!(error.to_string().contains("more elements than memory"), "{error}");
        let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}";
        Header::read(&mut with(1, text).as_slice()).expect_err("too large without its 0");
        let (header, bytes) = Header::new(DType::I32, &[3, 5]);
        let full = bytes.len() as u64 + 60;
        assert_eq!(header.check_length(full), Ok(()));
        let short = header.check_length(full - 1).expect_err("too short").to_string();
        assert!(short.contains("187 bytes, and its header says 188"), "{short}");
        assert!(short.ends_with("it is truncated"), "{short}");
        let long = header.check_length(full + 1).expect_err("too long").to_string();
        assert!(long.contains("followed by something else"), "{long}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            shape in proptest::collection::vec(0usize..5000, 0..9),
            kind in 0usize..7,
        ) {
            let dtype = [DType::F64, DType::F32, DType::I64, DType::I32, DType::U8, DType::Bool,
                DType::Complex64][kind];
            let shape: Vec<usize> = match Header::new(dtype, &shape).0.count() {
                Some(_) => shape,
                None => shape.iter().map(|length| length % 10).collect(),
            };
            let (header, bytes) = Header::new(dtype, &shape);
            prop_assert_eq!(bytes.len() % ALIGNMENT, 0);
            prop_assert_eq!(Header::read(&mut bytes.as_slice()), Ok(header));
            for end in 0..bytes.len() {
                prop_assert!(Header::read(&mut &bytes[..end]).is_err());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0usize..128,
            byte in any::<u8>(),
        ) {
            let _ = Header::read(&mut noise.as_slice());
            let _ = Header::read(&mut [MAGIC, noise.as_slice()].concat().as_slice());
            let (_, mut bytes) = Header::new(DType::F64, &[3, 4]);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Header::read(&mut bytes.as_slice());
            let _ = Header::read(&mut with(2, &String::from_utf8_lossy(&noise)).as_slice());
        }
    }
}
