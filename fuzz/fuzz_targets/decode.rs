//! Whatever the bytes of a file, reading it ends with lines or with an error, and with the same for any size of blocks.
//! The first byte chooses what the file pretends to be.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serried::{
    bag::{Encoding, Faults, Reading},
    internals::read_lines,
};

const BEGINNINGS: [&[u8]; 6] = [
    b"",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0",
    b"BZh91AY&SY",
    b"\xFD7zXZ\0",
    b"\x28\xB5\x2F\xFD",
];

fuzz_target!(|data: &[u8]| {
    let [kind, rest @ ..] = data else { return };
    let beginning = BEGINNINGS[usize::from(*kind) % BEGINNINGS.len()];
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), [beginning, rest].concat()).expect("written");
    let mut first = None;
    for block in [1, 16, 1000, 1 << 20] {
        let reading = Reading::new().encoding(Encoding::Latin1).block_bytes(block);
        let lines = read_lines(file.path(), &reading).map_err(|_| "damaged");
        assert_eq!(*first.get_or_insert_with(|| lines.clone()), lines, "blocks of {block} bytes");
        read_lines(file.path(), &reading.faults(Faults::Skip)).expect("faults are skipped");
    }
});
