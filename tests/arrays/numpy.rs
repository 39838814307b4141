//! NumPy in a process of its own, to which expressions and arrays are sent and which answers with arrays.

use ndarray::ArrayD;
use num_complex::Complex64;
use serde_json::{Value, json};
use serried::{Block, BlockElement, DType};
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

/// The process; it ends when its input does, with the tests.
struct Numpy {
    _process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// One process for all tests, which take turns. There is none where `SERRIED_TEST_PYTHON` names no interpreter.
static NUMPY: LazyLock<Option<Mutex<Numpy>>> = LazyLock::new(|| {
    let Ok(python) = std::env::var("SERRIED_TEST_PYTHON") else {
        println!("skipped: SERRIED_TEST_PYTHON names no interpreter that has NumPy");
        return None;
    };
    let mut process = Command::new(&python)
        .args(["-c", include_str!("evaluate.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {python}: {error}"));
    let to = process.stdin.take().expect("piped");
    let from = BufReader::new(process.stdout.take().expect("piped"));
    Some(Mutex::new(Numpy { _process: process, to, from }))
});

/// What NumPy makes of an expression in which arrays have names and NumPy is `np`; `None` if there is no NumPy.
///
/// # Panics
/// If NumPy raises an exception, or if the elements of the result are not of type `T`.
pub(crate) fn numpy<T: BlockElement>(expression: &str, arrays: &[(&str, &Block)]) -> Option<ArrayD<T>> {
    let block = try_numpy(expression, arrays)?.unwrap_or_else(|error| panic!("{expression}: {error}"));
    assert_eq!(block.dtype(), T::DTYPE, "{expression}");
    Some(block.into_array())
}

/// As [`numpy`], with elements of any type; an exception is an error.
pub(crate) fn try_numpy(expression: &str, arrays: &[(&str, &Block)]) -> Option<Result<Block, String>> {
    let numpy = NUMPY.as_ref()?;
    Some(numpy.lock().unwrap_or_else(PoisonError::into_inner).evaluate(expression, arrays))
}

impl Numpy {
    fn evaluate(&mut self, expression: &str, arrays: &[(&str, &Block)]) -> Result<Block, String> {
        let describe = |(name, block): &(&str, &Block)| json!([name, block.dtype().name(), block.shape()]);
        let descriptions: Vec<Value> = arrays.iter().map(describe).collect();
        let request = json!({ "expression": expression, "arrays": descriptions });
        let mut message = format!("{request}\n").into_bytes();
        for (_, block) in arrays {
            message.extend(bytes(block));
        }
        self.to.write_all(&message).expect("Python listens");
        self.to.flush().expect("Python listens");

        let mut line = String::new();
        self.from.read_line(&mut line).expect("Python answers");
        let head: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        if let Some(error) = head["error"].as_str() {
            return Err(error.to_owned());
        }
        let lengths = head["shape"].as_array().expect("a list of lengths");
        let shape: Vec<usize> =
            lengths.iter().map(|length| length.as_u64().expect("a length") as usize).collect();
        let dtype = DTYPES.into_iter().find(|dtype| head["dtype"] == dtype.name());
        let dtype = dtype.unwrap_or_else(|| panic!("{expression} has elements {}", head["dtype"]));
        let mut content = vec![0; shape.iter().product::<usize>() * dtype.size()];
        self.from.read_exact(&mut content).expect("Python sends what it says");
        Ok(block(dtype, &shape, &content))
    }
}

const DTYPES: [DType; 7] =
    [DType::F64, DType::F32, DType::I64, DType::I32, DType::U8, DType::Bool, DType::Complex64];

fn bytes(block: &Block) -> Vec<u8> {
    fn of<T: BlockElement + bytemuck::NoUninit>(block: &Block) -> Vec<u8> {
        bytemuck::cast_slice(block.as_slice::<T>()).to_vec()
    }
    match block.dtype() {
        DType::F64 => of::<f64>(block),
        DType::F32 => of::<f32>(block),
        DType::I64 => of::<i64>(block),
        DType::I32 => of::<i32>(block),
        DType::U8 => of::<u8>(block),
        DType::Bool => of::<bool>(block),
        DType::Complex64 => of::<Complex64>(block),
    }
}

fn block(dtype: DType, shape: &[usize], bytes: &[u8]) -> Block {
    fn of<T: BlockElement + bytemuck::AnyBitPattern + bytemuck::NoUninit>(
        shape: &[usize],
        bytes: &[u8],
    ) -> Block {
        Block::from_vec(shape, bytemuck::pod_collect_to_vec::<u8, T>(bytes))
    }
    match dtype {
        DType::F64 => of::<f64>(shape, bytes),
        DType::F32 => of::<f32>(shape, bytes),
        DType::I64 => of::<i64>(shape, bytes),
        DType::I32 => of::<i32>(shape, bytes),
        DType::U8 => of::<u8>(shape, bytes),
        DType::Bool => Block::from_vec(shape, bytes.iter().map(|&byte| byte != 0).collect()),
        DType::Complex64 => of::<Complex64>(shape, bytes),
    }
}

#[test]
fn arrays_go_to_numpy_and_back() {
    let numbers = Block::from_vec(&[2, 3], vec![1.5, -0.0, f64::NAN, 4.0, 5.0, f64::INFINITY]);
    let Some(turned) = numpy::<f64>("a.T", &[("a", &numbers)]) else {
        return;
    };
    assert_eq!(turned.to_string(), numbers.view::<f64>().t().to_string());
    for (dtype, name) in DTYPES.into_iter().map(|dtype| (dtype, dtype.name())) {
        let ones = try_numpy(&format!("np.ones((2, 0, 3), np.{name})"), &[]).expect("there is one");
        assert_eq!(ones.map(|ones| (ones.dtype(), ones.shape().to_vec())), Ok((dtype, vec![2, 0, 3])));
    }
    let twice = Block::from_vec(&[], vec![Complex64::new(1.0, 2.0)]);
    let sum = numpy::<Complex64>("a + b", &[("a", &twice), ("b", &twice)]).expect("there is one");
    assert_eq!(sum.into_iter().collect::<Vec<_>>(), [Complex64::new(2.0, 4.0)]);
    let error = try_numpy("np.ones(3) + np.ones(4)", &[]).expect("there is one").expect_err("shapes differ");
    assert!(error.contains("could not be broadcast"), "{error}");
}
