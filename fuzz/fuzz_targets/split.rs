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
    // Bytes that look like a compressed file may be damaged; then they are so for any division.
    assert_eq!(whole.map_err(|_| "damaged"), divided.map_err(|_| "damaged"));
});
