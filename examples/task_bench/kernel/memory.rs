//! The kernel bound by memory.

/// Copies `visits` samples of the scratch, which has `samples` of them, within themselves: of each run of
/// neighbouring samples the first half onto the second.
///
/// The tasks of a column go on where the one before has stopped, so the column works on all of its scratch however
/// few samples a task visits, and stays as large for the caches.
pub(super) fn copy_samples(scratch: &mut [u64], visits: u64, samples: u64, t: u64) {
    if samples == 0 {
        return;
    }
    let words = scratch.len() / samples as usize;
    let mut sample = ((u128::from(t) * u128::from(visits)) % u128::from(samples)) as u64;
    let mut left = visits;
    while left > 0 {
        let run = left.min(samples - sample);
        let start = sample as usize * words;
        copy_first_half(&mut scratch[start..start + run as usize * words]);
        left -= run;
        sample = 0;
    }
}

fn copy_first_half(words: &mut [u64]) {
    let (first, second) = words.split_at_mut(words.len() / 2);
    second[..first.len()].copy_from_slice(first);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which words are overwritten, if all differ.
    fn overwritten(visits: u64, samples: u64, t: u64) -> Vec<usize> {
        let mut scratch: Vec<u64> = (0..16).collect();
        copy_samples(&mut scratch, visits, samples, t);
        (0..16).filter(|&word| scratch[word] != word as u64).collect()
    }

    #[test]
    fn tasks_take_turns_with_the_samples() {
        assert_eq!(overwritten(1, 8, 0), [1]);
        assert_eq!(overwritten(1, 8, 3), [7]);
        assert_eq!(overwritten(2, 8, 1), [6, 7]);
        assert_eq!(overwritten(3, 8, 2), [1, 14, 15]);
        assert_eq!(overwritten(5, 8, 5), [7, 8, 9, 10, 11]);
    }

    #[test]
    fn nothing_to_do_is_no_mistake() {
        assert!(overwritten(0, 8, 1).is_empty());
        assert!(overwritten(4, 0, 1).is_empty());
    }
}
