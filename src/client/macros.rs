//! Calls of functions, written as they would be without the runtime.

/// A lazy task, written as a call: `delayed!(client, f(a, b))`.
///
/// `f` is the path of a function. Each argument is a value or a handle; a handle given as `&x` arrives as a
/// reference, `&T`, and is shared by all tasks of a rank that read it. With a question mark at the end,
/// `delayed!(client, f(a, b)?)`, the function returns a `Result`, and an `Err` is a failure of the task.
///
/// ```
/// use serried::prelude::*;
///
/// fn inc(x: i64) -> i64 { x + 1 }
/// fn add(x: i64, y: i64) -> i64 { x + y }
/// fn total(parts: &[i64]) -> i64 { parts.iter().sum() }
/// fn parse(text: String) -> Result<i64, std::num::ParseIntError> { text.parse() }
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let x = delayed!(client, inc(1));
///     let y = delayed!(client, add(x.clone(), 10));
///     let numbers = client.broadcast(vec![1, 2, 3])?;
///     let z = delayed!(client, total(&numbers));
///     let seven = delayed!(client, parse("7".to_owned())?);
///     assert_eq!(client.compute((&x, &y, &z, &seven))?, (2, 12, 6, 7));
///
///     let wrong = delayed!(client, parse("seven".to_owned())?);
///     let error = client.compute(&wrong).unwrap_err();
///     assert!(error.to_string().starts_with("task `parse` with arguments (\"seven\") failed on rank"));
///     Ok(())
/// })
/// # }
/// ```
///
/// A handle of another type than the parameter does not compile:
///
/// ```compile_fail,E0271
/// use serried::prelude::*;
///
/// fn inc(x: i64) -> i64 { x + 1 }
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let x = delayed!(client, inc(1));
///     let y = client.delayed(|(text,): (String,)| text, (x,));
///     Ok(())
/// })
/// # }
/// ```
#[macro_export]
macro_rules! delayed {
    ($client:expr, $($function:ident)::+ ( $($args:tt)* )) => {
        $crate::delayed!(@args ($client) [delayed_as] [$($function)::+] () () () $($args)* ,)
    };
    ($client:expr, $($function:ident)::+ ( $($args:tt)* ) ?) => {
        $crate::delayed!(@args ($client) [try_delayed_as] [$($function)::+] () () () $($args)* ,)
    };
    ($client:expr, $($function:ident)::+ ::< $($parameter:ty),+ > ( $($args:tt)* )) => {
        $crate::delayed!(
            @args ($client) [delayed_as] [$($function)::+ ::<$($parameter),+>] () () () $($args)* ,
        )
    };
    ($client:expr, $($function:ident)::+ ::< $($parameter:ty),+ > ( $($args:tt)* ) ?) => {
        $crate::delayed!(
            @args ($client) [try_delayed_as] [$($function)::+ ::<$($parameter),+>] () () () $($args)* ,
        )
    };
    (@args ($client:expr) [$method:ident] [$($function:tt)+] ($($name:ident)*) ($($use:expr,)*) ($($value:expr,)*) $(,)?) => {
        ($client).$method(
            ::core::stringify!($($function)+),
            |($($name,)*)| $($function)+($($use),*),
            ($($value,)*),
        )
    };
    (@args $client:tt $method:tt $function:tt ($($name:ident)*) ($($use:expr,)*) ($($value:expr,)*) & $argument:expr , $($rest:tt)*) => {
        $crate::delayed!(
            @args $client $method $function ($($name)* x) ($($use,)* &*x,) ($($value,)* &$argument,) $($rest)*
        )
    };
    (@args $client:tt $method:tt $function:tt ($($name:ident)*) ($($use:expr,)*) ($($value:expr,)*) $argument:expr , $($rest:tt)*) => {
        $crate::delayed!(
            @args $client $method $function ($($name)* x) ($($use,)* x,) ($($value,)* $argument,) $($rest)*
        )
    };
}
