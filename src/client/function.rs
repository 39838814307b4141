//! Functions as arguments of tasks.

use crate::task::{
    Arg, Args, ArgumentError, Build, FnRef, FunctionError, Inputs, InputsRef, Record, Sealed, TaskFailure,
};
use crate::wire::WireError;
use std::{any::type_name, fmt::Pointer, marker::PhantomData};

/// A function as an argument of a task: the task gets the function itself, or what a [`Bind`] made of it.
///
/// A plain function, or a closure that captures nothing, travels as an address; wrap it where one is given to
/// a task that calls it.
///
/// ```
/// use serried::{Function, prelude::*};
///
/// fn midpoint_rule(f: fn(f64) -> f64, a: f64, b: f64, n: u32) -> f64 {
///     let h = (b - a) / f64::from(n);
///     (0..n).map(|i| h * f(a + h * (f64::from(i) + 0.5))).sum()
/// }
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let square: fn(f64) -> f64 = |x| x * x;
///     let area = delayed!(client, midpoint_rule(Function::new(square), 0.0, 3.0, 1000));
///     assert!((client.compute(&area)? - 9.0).abs() < 1e-5);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Function<O> {
    reference: Result<FnRef<O>, FunctionError>,
}

/// Makes of a function what a task will use: the function itself ([`Itself`]), or a value that has forgotten
/// the function's type, so that functions of several types can be given in one list.
pub trait Bind<F> {
    /// What the task gets.
    type Output: 'static;
    /// Makes it; on the rank that runs the task.
    fn bind(function: F) -> Self::Output;
}

/// A task gets the function as it is.
#[derive(Debug)]
pub struct Itself;

impl<F: 'static> Bind<F> for Itself {
    type Output = F;
    fn bind(function: F) -> F {
        function
    }
}

/// The entry of a function that is an argument.
struct Entry<B>(PhantomData<B>);

impl<F, B: Bind<F>> Build<F> for Entry<B> {
    type Output = B::Output;
    fn build(function: F, _: &mut Inputs<'_>) -> B::Output {
        B::bind(function)
    }
}

impl<F: Pointer + Copy + Send + Sync + 'static> Function<F> {
    /// `function`, a function pointer, as an argument.
    ///
    /// Anything else is refused, most of it by the compiler:
    ///
    /// ```compile_fail,E0277
    /// let number = serried::Function::new(1.0f64);
    /// ```
    ///
    /// # Panics
    /// If `F` is another kind of pointer.
    #[must_use]
    pub fn new(function: F) -> Self {
        Function::bound::<F, Itself>(function)
    }
}

impl<O: 'static> Function<O> {
    /// What `B` makes of `function`, a function pointer, as an argument.
    ///
    /// # Panics
    /// As [`new`](Function::new).
    #[must_use]
    pub fn bound<F: Pointer + Copy + Send + Sync + 'static, B: Bind<F, Output = O>>(function: F) -> Self {
        let name = type_name::<F>();
        assert!(names_a_function_pointer(name), "`{name}` is no function pointer, such as `fn(f64) -> f64`");
        Function { reference: FnRef::new::<F, Entry<B>>(function) }
    }

    fn pack_reference(&self, record: &mut Record) {
        match &self.reference {
            Ok(reference) => record.constant(reference),
            Err(error) => record.fail(ArgumentError::Function(error.clone())),
        }
    }

    fn unpack_reference(inputs: &mut InputsRef<'_, '_>) -> Result<O, TaskFailure> {
        let reference: FnRef<O> = inputs.0.constant()?;
        let function = reference.resolve().map_err(WireError::new::<O>)?;
        Ok(function.call(inputs.0))
    }
}

/// Whether a type of this name is a function pointer: the language has no trait for them, and no other type has a
/// parenthesis there.
fn names_a_function_pointer(name: &str) -> bool {
    let name = match name.strip_prefix("for<") {
        Some(rest) => rest.split_once("> ").map_or("", |(_, rest)| rest),
        None => name,
    };
    let name = name.strip_prefix("unsafe ").unwrap_or(name);
    let name = match name.strip_prefix("extern \"") {
        Some(rest) => rest.split_once("\" ").map_or("", |(_, rest)| rest),
        None => name,
    };
    name.starts_with("fn(")
}

impl<O> Clone for Function<O> {
    fn clone(&self) -> Self {
        Function { reference: self.reference.clone() }
    }
}

impl<O> Sealed for Function<O> {}

impl<O: 'static> Arg for Function<O> {
    type Value = O;
    fn pack(&self, record: &mut Record) {
        self.pack_reference(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<O, TaskFailure> {
        Self::unpack_reference(inputs)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        inputs.0.constant::<FnRef<O>>()?;
        Ok("fn".into())
    }
}

/// Several functions as one argument of a task: the function takes a `Vec<O>`.
#[derive(Debug)]
pub struct Functions<O>(Vec<Function<O>>);

impl<O> FromIterator<Function<O>> for Functions<O> {
    fn from_iter<I: IntoIterator<Item = Function<O>>>(functions: I) -> Self {
        Functions(functions.into_iter().collect())
    }
}

impl<O> Clone for Functions<O> {
    fn clone(&self) -> Self {
        Functions(self.0.clone())
    }
}

impl<O> Sealed for Functions<O> {}

impl<O: 'static> Arg for Functions<O> {
    type Value = Vec<O>;
    fn pack(&self, record: &mut Record) {
        record.constant(&(self.0.len() as u32));
        self.0.iter().for_each(|function| function.pack_reference(record));
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Vec<O>, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        (0..count).map(|_| Function::unpack_reference(inputs)).collect()
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        for _ in 0..count {
            inputs.0.constant::<FnRef<O>>()?;
        }
        Ok(format!("[fn; {count}]"))
    }
}

/// A tuple of arguments as one argument: the function takes the tuple of their values.
///
/// For libraries that put arguments of their own beside those of their users.
///
/// ```
/// use serried::{Together, prelude::*};
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let x = client.delayed(|(x,)| x + 1, (1,));
///     let sum = client.delayed(|(a, (b, c)): (i64, (i64, i64))| a + b * c, (5, Together((x, 10))));
///     assert_eq!(client.compute(&sum)?, 25);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Together<A>(pub A);

impl<A> Sealed for Together<A> {}

impl<A: Args> Arg for Together<A> {
    type Value = A::Values;
    fn pack(&self, record: &mut Record) {
        self.0.pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<A::Values, TaskFailure> {
        A::unpack(inputs)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        A::show(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    #[allow(non_camel_case_types)]
    struct fn_of(#[expect(dead_code)] u64);

    impl Pointer for fn_of {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Ok(())
        }
    }

    #[test]
    fn function_pointers_of_every_kind_are_arguments() {
        fn accept<F: Pointer + Copy + Send + Sync + 'static>(f: F) {
            assert!(Function::new(f).reference.is_ok());
        }
        accept::<fn(f64) -> f64>(|x| x);
        accept::<fn(&str) -> &str>(|x| x);
        accept::<for<'a> fn(&'a [f64], &mut u8) -> Option<&'a f64>>(|x, _| x.first());
        accept::<fn()>(|| ());
        accept::<extern "C" fn(u8)>({
            extern "C" fn nothing(_: u8) {}
            nothing
        });
    }

    #[test]
    fn other_values_of_the_size_of_a_pointer_are_not() {
        fn refuse<F: Pointer + Copy + Send + Sync + 'static>(f: F) {
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Function::new(f)));
            assert!(refused.is_err(), "{}", type_name::<F>());
        }
        refuse(&1.5f64);
        refuse(fn_of(7));
        static POINTERS: [fn(); 1] = [|| ()];
        refuse(&POINTERS);
    }
}
