//! Functions that travel: a function pointer and its monomorphised entry, as two offsets.
//!
//! All ranks run the same executable, so the address of a function relative to a fixed function of that
//! executable, the anchor, is the same everywhere, whatever the loader did. A task's function is sent as
//! the offset of the function itself and the offset of an *entry*, generic code that knows the types: it
//! reads the arguments, calls the function and wraps the result. The two are only ever made together, by
//! [`FnRef::new`], so the entry always meets a function of the type that it was compiled for.
//!
//! This is sound only because every rank runs the same image. Three things see to that: the handshake at
//! start compares a hash of the executable on all ranks, functions that lie outside the image are refused
//! when a task is made (a library loaded at run time may be elsewhere on another rank), and references are
//! decoded from messages of other ranks alone. Pointers are never compared: the linker may fold equal
//! functions into one or keep several copies of one.
#![allow(unsafe_code)]

use super::Inputs;
use serde::{Deserialize, Serialize};
use std::{marker::PhantomData, ops::Range, sync::LazyLock};

/// How an entry uses a function of type `F` with the inputs of a task.
pub(crate) trait Build<F> {
    /// What the entry yields: the outcome of a task, a stage of a map, ...
    type Output: 'static;
    /// Runs the entry.
    fn build(function: F, inputs: &mut Inputs<'_>) -> Self::Output;
}

type Entry<O> = fn(usize, &mut Inputs<'_>) -> O;

/// A function of this executable together with the entry that yields an `O`, as it travels.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct FnRef<O> {
    function: i64,
    entry: i64,
    #[serde(skip)]
    output: PhantomData<fn() -> O>,
}

/// A [`FnRef`] resolved in this process, ready to be called.
pub(crate) struct Function<O> {
    address: usize,
    entry: Entry<O>,
}

/// A function that cannot travel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the function of this task lies outside the program's executable (in a shared library loaded at run \
     time?), so other ranks cannot find it; link the code into the executable"
)]
pub struct FunctionError;

impl<O: 'static> FnRef<O> {
    /// Pairs `function`, a function pointer, with the entry `B`.
    pub(crate) fn new<F: Copy + 'static, B: Build<F, Output = O>>(
        function: F,
    ) -> Result<Self, FunctionError> {
        const { assert!(size_of::<F>() == size_of::<usize>(), "F must be a function pointer") };
        // SAFETY: F has the size of an address, and any function pointer is a valid integer.
        let address: usize = unsafe { std::mem::transmute_copy(&function) };
        let entry: Entry<O> = enter::<F, B>;
        let reference =
            FnRef { function: offset(address), entry: offset(entry as usize), output: PhantomData };
        if in_image(address) && in_image(entry as usize) { Ok(reference) } else { Err(FunctionError) }
    }

    /// Finds the function in this process.
    pub(crate) fn resolve(self) -> Result<Function<O>, FunctionError> {
        let address = address(self.function);
        let entry = address_in_image(self.entry)?;
        address_in_image(self.function)?;
        // SAFETY: the offsets were made by `new` in this or in another process that runs the same
        // executable (the handshake compared it), where `entry` is `enter::<F, B>` with `B::Output = O`.
        let entry = unsafe { std::mem::transmute::<usize, Entry<O>>(entry) };
        Ok(Function { address, entry })
    }

    /// A key by which equal references are found again; unequal ones may stand for equal functions.
    pub(crate) fn identity(self) -> (i64, i64) {
        (self.function, self.entry)
    }
}

impl<O> Function<O> {
    #[inline]
    pub(crate) fn call(self, inputs: &mut Inputs<'_>) -> O {
        (self.entry)(self.address, inputs)
    }
}

fn enter<F: Copy + 'static, B: Build<F>>(address: usize, inputs: &mut Inputs<'_>) -> B::Output {
    // SAFETY: `FnRef::new` is the only source of this entry, and it paired it with the address of an F.
    let function: F = unsafe { std::mem::transmute_copy(&address) };
    B::build(function, inputs)
}

/// The function that all offsets are relative to.
#[inline(never)]
fn anchor() {}

fn anchor_address() -> usize {
    let anchor: fn() = anchor;
    anchor as usize
}

fn offset(address: usize) -> i64 {
    address.wrapping_sub(anchor_address()) as i64
}

fn address(offset: i64) -> usize {
    anchor_address().wrapping_add(offset as usize)
}

fn address_in_image(offset: i64) -> Result<usize, FunctionError> {
    let address = address(offset);
    if in_image(address) { Ok(address) } else { Err(FunctionError) }
}

/// The executable mappings of the file that holds the anchor; empty where the system does not tell.
static IMAGE: LazyLock<Vec<Range<usize>>> = LazyLock::new(|| {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    executable_mappings(&maps, anchor_address())
});

fn executable_mappings(maps: &str, anchor: usize) -> Vec<Range<usize>> {
    let mappings: Vec<(Range<usize>, &str)> = maps
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (start, end) = fields.next()?.split_once('-')?;
            let executable = fields.next()?.contains('x');
            let start = usize::from_str_radix(start, 16).ok()?;
            let end = usize::from_str_radix(end, 16).ok()?;
            executable.then(|| (start..end, fields.nth(3).unwrap_or_default()))
        })
        .collect();
    let file = mappings.iter().find(|(range, _)| range.contains(&anchor)).map(|(_, file)| *file);
    mappings.into_iter().filter(|(_, name)| Some(*name) == file).map(|(range, _)| range).collect()
}

fn in_image(address: usize) -> bool {
    IMAGE.is_empty() || IMAGE.iter().any(|range| range.contains(&address))
}

impl<O> Clone for FnRef<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for FnRef<O> {}

impl<O> std::fmt::Debug for FnRef<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FnRef({:+#x}, {:+#x})", self.function, self.entry)
    }
}

impl<O> Clone for Function<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Function<O> {}

impl<O> std::fmt::Debug for Function<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Function({:#x})", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Double;
    impl Build<fn(i64) -> i64> for Double {
        type Output = i64;
        fn build(function: fn(i64) -> i64, _: &mut Inputs<'_>) -> i64 {
            2 * function(20)
        }
    }

    #[test]
    fn a_function_survives_the_wire() {
        let reference = FnRef::new::<fn(i64) -> i64, Double>(|x| x + 1).expect("in the executable");
        let bytes = crate::wire::encode_to_vec(&reference).expect("two numbers");
        let reference: FnRef<i64> = crate::wire::decode(&bytes).expect("two numbers");
        let function = reference.resolve().expect("in the executable");
        assert_eq!(Inputs::empty(|inputs| function.call(inputs)), 42);
    }

    #[test]
    fn a_function_of_another_image_is_refused() {
        if cfg!(not(target_os = "linux")) {
            return;
        }
        let outside: usize = 0x10;
        assert!(!in_image(outside));
        let forged = FnRef::<i64> { function: offset(outside), entry: 0, output: PhantomData };
        assert_eq!(forged.resolve().err(), Some(FunctionError));
    }

    #[test]
    fn only_the_file_of_the_anchor_counts() {
        let maps = "\
            00001000-00002000 r--p 00000000 08:01 1 /bin/program\n\
            00002000-00003000 r-xp 00001000 08:01 1 /bin/program\n\
            00008000-00009000 r-xp 00001000 08:01 2 /lib/libc.so\n";
        assert_eq!(executable_mappings(maps, 0x2800), vec![0x2000..0x3000]);
        assert!(executable_mappings(maps, 0x9800).is_empty());
    }
}
