//! The compact form, written only as long as it is what the reader will ask for.
//!
//! A serializer around another one, which compares every struct, variant and kind of value with the [`Shape`] of
//! the type that is written, and gives up where they differ.

use super::shape::{Form, Group, Kind, Shape};
use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::cell::Cell;

/// A value, and what its type reads.
pub(super) struct Compact<'a, T: ?Sized> {
    pub(super) value: &'a T,
    pub(super) fit: &'a Fit,
}

/// Whether what was written so far is what the type reads.
pub(super) struct Fit {
    shape: &'static Shape,
    failed: Cell<bool>,
}

impl Fit {
    pub(super) fn new(shape: &'static Shape) -> Self {
        Fit { shape, failed: Cell::new(false) }
    }

    /// Whether the value cannot be written in the compact form.
    pub(super) fn failed(&self) -> bool {
        self.failed.get()
    }

    #[inline]
    fn check<E: Error>(&self, fits: bool) -> Result<(), E> {
        if fits { Ok(()) } else { Err(self.fail()) }
    }

    #[cold]
    fn fail<E: Error>(&self) -> E {
        self.failed.set(true);
        E::custom("it reads other things than it writes")
    }

    #[inline]
    fn kind<E: Error>(&self, kind: Kind) -> Result<(), E> {
        self.check(self.shape.has_kind(kind))
    }

    #[inline]
    fn group<E: Error>(
        &self,
        name: &'static str,
        variant: Option<u32>,
        form: Form,
        fields: usize,
    ) -> Result<(), E> {
        self.check(self.shape.has(Group { name, variant, form, fields }))
    }
}

impl<T: Serialize + ?Sized> Serialize for Compact<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checked { inner: serializer, fit: self.fit })
    }
}

/// A serializer, or what one has begun.
struct Checked<'a, S> {
    inner: S,
    fit: &'a Fit,
}

macro_rules! scalars {
    ($($method:ident($value:ty) $kind:ident;)*) => {$(
        #[inline]
        fn $method(self, value: $value) -> Result<S::Ok, S::Error> {
            self.fit.kind(Kind::$kind)?;
            self.inner.$method(value)
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Checked<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Checked<'a, S::SerializeSeq>;
    type SerializeTuple = Checked<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Checked<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Checked<'a, S::SerializeTupleVariant>;
    type SerializeMap = Checked<'a, S::SerializeMap>;
    type SerializeStruct = Checked<'a, S::SerializeStruct>;
    type SerializeStructVariant = Checked<'a, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(bool) Bool;
        serialize_i8(i8) I8;
        serialize_i16(i16) I16;
        serialize_i32(i32) I32;
        serialize_i64(i64) I64;
        serialize_i128(i128) I128;
        serialize_u8(u8) U8;
        serialize_u16(u16) U16;
        serialize_u32(u32) U32;
        serialize_u64(u64) U64;
        serialize_u128(u128) U128;
        serialize_f32(f32) F32;
        serialize_f64(f64) F64;
        serialize_char(char) Char;
        serialize_str(&str) Text;
        serialize_bytes(&[u8]) Bytes;
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.fit.kind(Kind::Option)?;
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.fit.kind(Kind::Option)?;
        self.inner.serialize_some(&Compact { value, fit: self.fit })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.fit.kind(Kind::Unit)?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.fit.group(name, None, Form::Unit, 0)?;
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.fit.group(name, Some(index), Form::Unit, 0)?;
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.fit.group(name, None, Form::Newtype, 1)?;
        self.inner.serialize_newtype_struct(name, &Compact { value, fit: self.fit })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.fit.group(name, Some(index), Form::Newtype, 1)?;
        self.inner.serialize_newtype_variant(name, index, variant, &Compact { value, fit: self.fit })
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.fit.check(len.is_some() && self.fit.shape.has_kind(Kind::Sequence))?;
        Ok(Checked { inner: self.inner.serialize_seq(len)?, fit: self.fit })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.fit.kind(Kind::Tuple)?;
        Ok(Checked { inner: self.inner.serialize_tuple(len)?, fit: self.fit })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.fit.group(name, None, Form::Tuple, len)?;
        Ok(Checked { inner: self.inner.serialize_tuple_struct(name, len)?, fit: self.fit })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.fit.group(name, Some(index), Form::Tuple, len)?;
        let inner = self.inner.serialize_tuple_variant(name, index, variant, len)?;
        Ok(Checked { inner, fit: self.fit })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.fit.check(len.is_some() && self.fit.shape.has_kind(Kind::Map))?;
        Ok(Checked { inner: self.inner.serialize_map(len)?, fit: self.fit })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.fit.group(name, None, Form::Struct, len)?;
        Ok(Checked { inner: self.inner.serialize_struct(name, len)?, fit: self.fit })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.fit.group(name, Some(index), Form::Struct, len)?;
        let inner = self.inner.serialize_struct_variant(name, index, variant, len)?;
        Ok(Checked { inner, fit: self.fit })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! items {
    ($($trait:ident $method:ident;)*) => {$(
        impl<S: $trait> $trait for Checked<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;
            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.inner.$method(&Compact { value, fit: self.fit })
            }
            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}
items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl<S: $trait> $trait for Checked<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;
            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), S::Error> {
                self.inner.serialize_field(key, &Compact { value, fit: self.fit })
            }
            fn skip_field(&mut self, _: &'static str) -> Result<(), S::Error> {
                Err(self.fit.fail())
            }
            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}
fields! { SerializeStruct SerializeStructVariant }

impl<S: SerializeMap> SerializeMap for Checked<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(&Compact { value: key, fit: self.fit })
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&Compact { value, fit: self.fit })
    }
    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}
