//! Lines do not depend on how a file is divided.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serried::{
    bag::{Encoding, Reading},
    internals::read_lines,
};

fuzz_target!(|data: &[u8]| {
    let [block, rest @ ..] = data else { return };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), rest).expect("written");
    let reading = Reading::new().encoding(Encoding::Replace);
    let whole = read_lines(file.path(), &reading);
    let divided = read_lines(file.path(), &reading.block_bytes(u64::from(*block) + 1));
    match (whole, divided) {
        (Ok(whole), Ok(divided)) => assert_eq!(whole, divided),
        // Bytes that look like a compressed file, and are damaged at one place or another.
        (whole, divided) => assert!(whole.is_err() || divided.is_err()),
    }
});
