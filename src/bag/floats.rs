//! The floats of a value, which serde takes apart.

use serde::ser::{self, Serialize, Serializer};
use std::{cell::RefCell, fmt};

/// A float as the type has it.
#[derive(Debug, Clone, Copy)]
enum Float {
    Single(f32),
    Double(f64),
}

/// Goes through a value and hands its floats on, up to an error.
#[derive(Clone, Copy)]
struct Visit<'a>(&'a dyn Fn(Float) -> Visited);

/// A float is not what it has to be, or the value cannot be gone through.
#[derive(Debug)]
pub(super) struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl ser::Error for Problem {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Problem(problem.to_string())
    }
}

type Visited = Result<(), Problem>;

/// Refuses floats that are not finite, for which JSON has no word.
pub(super) fn check_finite(value: &impl Serialize) -> Visited {
    value.serialize(Visit(&|float| {
        let float = match float {
            Float::Single(float) => float.into(),
            Float::Double(float) => float,
        };
        match float.is_finite() {
            true => Ok(()),
            false => Err(Problem(format!(
                "JSON has no word for {float}; write an `Option` that is `None`, or text"
            ))),
        }
    }))
}

/// The bits of the floats of a value, in the order of their size: that of a hash map is another one each time.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Floats {
    pub(super) singles: Vec<u32>,
    pub(super) doubles: Vec<u64>,
}

impl Floats {
    pub(super) fn of(value: &impl Serialize) -> Result<Floats, Problem> {
        let floats = RefCell::new(Floats::default());
        value.serialize(Visit(&|float| {
            let mut floats = floats.borrow_mut();
            match float {
                Float::Single(float) => floats.singles.push(float.to_bits()),
                Float::Double(float) => floats.doubles.push(float.to_bits()),
            }
            Ok(())
        }))?;
        let mut floats = floats.into_inner();
        floats.singles.sort_unstable();
        floats.doubles.sort_unstable();
        Ok(floats)
    }
}

macro_rules! fine {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Visited {
            Ok(())
        })*
    };
}

macro_rules! compound {
    ($($method:ident($($argument:ty),*) -> $compound:ident;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<Self::$compound, Problem> {
            Ok(self)
        })*
    };
}

impl Serializer for Visit<'_> {
    type Ok = ();
    type Error = Problem;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fine! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    compound! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }

    fn serialize_f32(self, float: f32) -> Visited {
        (self.0)(Float::Single(float))
    }

    fn serialize_f64(self, float: f64) -> Visited {
        (self.0)(Float::Double(float))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Visited {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Visited {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Visited {
        value.serialize(self)
    }
}

macro_rules! elements {
    ($($compound:ident::$method:ident($($argument:ty),*);)*) => {
        $(impl ser::$compound for Visit<'_> {
            type Ok = ();
            type Error = Problem;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $argument,)* value: &T) -> Visited {
                value.serialize(*self)
            }

            fn end(self) -> Visited {
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element();
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(&'static str);
    SerializeStructVariant::serialize_field(&'static str);
}

impl ser::SerializeMap for Visit<'_> {
    type Ok = ();
    type Error = Problem;

    // A float that is a key is text in JSON, and an error if it is not finite.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Visited {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Visited {
        value.serialize(*self)
    }

    fn end(self) -> Visited {
        Ok(())
    }
}
