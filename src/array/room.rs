//! Memory that may not be there.

use super::error::ArrayProblem;

/// Bytes that are taken without asking first.
const ORDINARY: usize = 1 << 30;

/// Checks that the system gives memory for so many elements at all. A process that takes more than there is
/// ends at once, without a word of which array it was.
///
/// It is no promise: a system may give memory that it has not.
pub(super) fn check_room(elements: usize, element_size: usize) -> Result<(), ArrayProblem> {
    let bytes = elements.saturating_mul(element_size);
    if bytes <= ORDINARY || Vec::<u8>::new().try_reserve_exact(bytes).is_ok() {
        return Ok(());
    }
    Err(ArrayProblem::NoRoom { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_refused() {
        assert_eq!(check_room(1000, 8), Ok(()));
        for elements in [1 << 50, 1 << 60, usize::MAX] {
            assert!(matches!(check_room(elements, 8), Err(ArrayProblem::NoRoom { .. })));
        }
    }
}
