//! NumPy's file format: a header that is a Python literal, and the elements of one array in C or Fortran order.
//!
//! Written from NumPy's description of the format, `numpy.lib.format`.

mod combs;
mod header;
mod literal;
mod read;

mod write;

pub(crate) use header::Header;
pub(crate) use read::read_region;
pub(crate) use write::write_region;

#[cfg(test)]
mod tests {
    use super::super::memory::{bytes, filled};
    use super::combs::tests::regions;
    use super::*;
    use crate::{Block, BlockElement as Element};
    use ndarray::{ArrayD, Axis, Slice};
    use num_complex::Complex64;
    use proptest::prelude::*;
    use std::io::Write;
    use std::ops::Range;

    fn read(file: &std::fs::File, header: &Header, region: &[Range<usize>]) -> std::io::Result<Block> {
        let lengths: Vec<usize> = region.iter().map(Range::len).collect();
        filled(header.dtype, &lengths, |memory| read_region(file, header, region, memory))
    }

    /// Numbers all of whose bytes differ from their neighbours'.
    fn numbers<T: Element>(shape: &[usize], element: fn(u64) -> T) -> ArrayD<T> {
        let mut number = 0u64;
        ArrayD::from_shape_simple_fn(shape, || {
            number += 1;
            element(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2)
        })
    }

    fn part<T: Element>(array: &ArrayD<T>, region: &[Range<usize>]) -> Block {
        let mut part = array.view();
        for (axis, range) in region.iter().enumerate() {
            part.slice_axis_inplace(Axis(axis), Slice::from(range.clone()));
        }
        Block::from(part.to_owned())
    }

    /// Writes an array in two pieces, and reads a part of it.
    fn there_and_back<T: Element>(array: &ArrayD<T>, region: &[Range<usize>]) -> std::io::Result<Block> {
        let (header, beginning) = Header::new(T::DTYPE, array.shape());
        let mut file = tempfile::tempfile()?;
        file.write_all(&beginning)?;
        file.set_len(header.file_bytes())?;
        let whole: Vec<Range<usize>> = array.shape().iter().map(|&length| 0..length).collect();
        let last = whole.len().checked_sub(1);
        for half in 0..2 {
            let mut region = whole.clone();
            if let Some(axis) = last {
                let middle = region[axis].end / 2;
                region[axis] = if half == 0 { 0..middle } else { middle..region[axis].end };
            }
            write_region(&file, &header, &region, bytes(&part(array, &region)))?;
        }
        read(&file, &header, region)
    }

    proptest! {
        #[test]
        fn parts_of_what_was_written_are_read((shape, region) in regions(9)) {
            fn check<T: Element>(shape: &[usize], region: &[Range<usize>], element: fn(u64) -> T) {
                let array = numbers(shape, element);
                let read = there_and_back(&array, region).expect("a file");
                assert_eq!(read, part(&array, region));
            }
            check(&shape, &region, |bits| bits as f64);
            check(&shape, &region, |bits| bits as f32);
            check(&shape, &region, |bits| bits as i64);
            check(&shape, &region, |bits| bits as i32);
            check(&shape, &region, |bits| bits as u8);
            check(&shape, &region, |bits| bits % 2 == 0);
            check(&shape, &region, |bits| Complex64::new(bits as f64, -(bits as f64)));
        }

        #[test]
        fn the_other_orders_of_axes_and_of_bytes_are_read(
            (shape, region) in regions(9),
            fortran_order in any::<bool>(),
            swapped in any::<bool>(),
        ) {
            fn check<T: Element, const SIZE: usize>(
                array: &ArrayD<T>, region: &[Range<usize>], header: &Header,
                to_bytes: fn(T) -> [u8; SIZE],
            ) {
                let view = if header.fortran_order { array.t() } else { array.view() };
                let mut file = tempfile::tempfile().expect("a file");
                for element in view {
                    let mut bytes = to_bytes(*element);
                    // Both parts of a complex number are turned by themselves.
                    if header.swapped {
                        bytes.chunks_mut(SIZE.min(8)).for_each(<[u8]>::reverse);
                    }
                    file.write_all(&bytes).expect("space");
                }
                let found = read(&file, header, region).expect("a file");
                assert_eq!(found, part(array, region));
            }
            let header = |dtype| Header { dtype, swapped, fortran_order, shape: shape.clone(), data: 0 };
            let array = numbers(&shape, |bits| bits as f64);
            check(&array, &region, &header(array_type(&array)), f64::to_ne_bytes);
            let array = numbers(&shape, |bits| bits as i32);
            check(&array, &region, &header(array_type(&array)), i32::to_ne_bytes);
            let array = numbers(&shape, |bits| bits as u8);
            check(&array, &region, &header(array_type(&array)), |byte| [byte]);
            let array = numbers(&shape, |bits| Complex64::new(bits as f64, 0.5));
            let bytes = |number: Complex64| -> [u8; 16] { bytemuck::cast(number) };
            check(&array, &region, &header(array_type(&array)), bytes);
        }
    }

    fn array_type<T: Element>(_: &ArrayD<T>) -> crate::DType {
        T::DTYPE
    }

    /// Wide enough that stretches are read one by one, and that the sieve is filled more than once.
    #[test]
    fn large_parts_are_read_in_all_ways() {
        for (shape, region) in [
            ([300, 1000], [3..299, 1..999]),
            ([5000, 300], [7..4999, 5..7]),
            ([5000, 300], [0..5000, 0..299]),
            ([5000, 300], [4999..5000, 17..18]),
            ([2, 700_000], [0..2, 1..700_000]),
        ] {
            let array = numbers(&shape, |bits| bits as f64);
            assert_eq!(there_and_back(&array, &region).expect("a file"), part(&array, &region));
        }
    }

    #[test]
    fn large_arrays_in_fortran_order_are_turned_piece_by_piece() {
        let array = numbers(&[300, 5, 700], |bits| bits as i64);
        let mut file = tempfile::tempfile().expect("a file");
        let elements: Vec<i64> = array.t().iter().copied().collect();
        file.write_all(bytemuck::cast_slice(&elements)).expect("space");
        let header = Header {
            dtype: crate::DType::I64,
            swapped: false,
            fortran_order: true,
            shape: array.shape().to_vec(),
            data: 0,
        };
        for region in
            [[0..300, 0..5, 0..700], [7..290, 1..5, 3..699], [0..300, 0..5, 2..3], [3..4, 0..5, 0..700]]
        {
            assert_eq!(read(&file, &header, &region).expect("a file"), part(&array, &region));
        }
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let (header, bytes) = Header::new(crate::DType::F64, &[10, 10]);
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("space");
        file.set_len(header.file_bytes() - 1).expect("space");
        assert!(read(&file, &header, &[0..9, 0..10]).is_ok());
        assert!(read(&file, &header, &[0..10, 0..10]).is_err());
        assert!(read(&file, &header, &[0..10, 9..10]).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error() {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let (header, _) = Header::new(crate::DType::F64, &[2]);
        let error = write_region(&full, &header, std::slice::from_ref(&(0..2)), &[1; 16]);
        assert_eq!(error.expect_err("full").kind(), std::io::ErrorKind::StorageFull);
    }
}
