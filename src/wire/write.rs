//! Writing a value with serde: in the compact form as long as that is what its type reads, or described.
//!
//! The described form says of each item what it is, and has the names of fields and variants. It keeps apart whatever
//! serde does: `None`, `Some(None)` and `()`, numbers of each width, the order of maps. Formats for exchange, CBOR
//! or MessagePack say, do not.

use super::{
    codec::{Scalar, put},
    kind::{Content, Group, Kind, Wrong, on_a_large_stack},
    shape::Shape,
};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Appends a value: compact if there is a shape to compare it with, else described.
pub(super) fn write<T: Serialize + ?Sized>(
    value: &T,
    shape: Option<&'static Shape>,
    out: &mut Vec<u8>,
) -> Result<(), Wrong> {
    value.serialize(Writer { out, shape })
}

/// Writes an item, or the items of what has begun.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    shape: Option<&'static Shape>,
}

#[cold]
fn unfit() -> Wrong {
    Wrong::new("it writes other things than it reads")
}

impl<'a> Writer<'a> {
    #[inline]
    fn kind(&mut self, kind: Kind) -> Result<(), Wrong> {
        match self.shape {
            Some(shape) if shape.has_kind(kind) => {}
            Some(_) => return Err(unfit()),
            None => self.out.push(kind as u8),
        }
        Ok(())
    }

    #[inline]
    fn scalar(mut self, kind: Kind, value: impl Scalar) -> Result<(), Wrong> {
        self.kind(kind)?;
        put(value, self.out);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        put(bytes.len() as u64, self.out);
        self.out.extend_from_slice(bytes);
    }

    /// The front of a struct, a tuple or a variant.
    #[inline]
    fn group(
        mut self,
        name: &'static str,
        variant: Option<(u32, &'static str)>,
        content: Content,
        fields: usize,
    ) -> Result<Self, Wrong> {
        let index = variant.map(|(index, _)| index);
        match self.shape {
            Some(shape) if shape.has(Group { name, variant: index, content, fields }) => {
                index.into_iter().for_each(|index| put(index, self.out));
            }
            Some(_) => return Err(unfit()),
            None => self.describe(variant.map(|(_, name)| name), content),
        }
        Ok(self)
    }

    fn describe(&mut self, variant: Option<&'static str>, content: Content) {
        if let Some(name) = variant {
            let kind = if content == Content::Unit { Kind::UnitVariant } else { Kind::Variant };
            self.out.push(kind as u8);
            self.bytes(name.as_bytes());
        }
        match content {
            Content::Unit if variant.is_none() => self.out.push(Kind::Unit as u8),
            Content::Unit | Content::Newtype => {}
            Content::Tuple => self.out.push(Kind::Sequence as u8),
            Content::Struct => self.out.push(Kind::Map as u8),
        }
    }

    /// The front of a sequence or a map.
    fn several(mut self, kind: Kind, length: Option<usize>) -> Result<Self, Wrong> {
        self.kind(kind)?;
        if self.shape.is_some() {
            put(length.ok_or_else(unfit)? as u64, self.out);
        }
        Ok(self)
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Wrong> {
        let inner = Writer { out: self.out, shape: self.shape };
        match self.shape {
            Some(_) => value.serialize(inner),
            // Types that contain themselves are described, as deep as they may be.
            None => on_a_large_stack(|| value.serialize(inner)),
        }
    }

    fn key(&mut self, key: &'static str) {
        if self.shape.is_none() {
            self.out.push(Kind::Text as u8);
            self.bytes(key.as_bytes());
        }
    }

    fn finish(self) -> Result<(), Wrong> {
        if self.shape.is_none() {
            self.out.push(Kind::End as u8);
        }
        Ok(())
    }
}

macro_rules! scalars {
    ($($method:ident $value:ty, $kind:ident;)*) => {$(
        #[inline]
        fn $method(self, value: $value) -> Result<(), Wrong> {
            self.scalar(Kind::$kind, value)
        }
    )*};
}

impl Serializer for Writer<'_> {
    type Ok = ();
    type Error = Wrong;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    scalars! {
        serialize_bool bool, Bool;
        serialize_i8 i8, I8;
        serialize_i16 i16, I16;
        serialize_i32 i32, I32;
        serialize_i64 i64, I64;
        serialize_i128 i128, I128;
        serialize_u8 u8, U8;
        serialize_u16 u16, U16;
        serialize_u32 u32, U32;
        serialize_u64 u64, U64;
        serialize_u128 u128, U128;
        serialize_f32 f32, F32;
        serialize_f64 f64, F64;
        serialize_char char, Char;
    }

    fn serialize_str(mut self, value: &str) -> Result<(), Wrong> {
        self.kind(Kind::Text)?;
        self.bytes(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Wrong> {
        self.kind(Kind::Bytes)?;
        self.bytes(value);
        Ok(())
    }

    fn serialize_none(mut self) -> Result<(), Wrong> {
        self.kind(Kind::None)?;
        if self.shape.is_some() {
            put(0u8, self.out);
        }
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Wrong> {
        self.kind(Kind::Some)?;
        if self.shape.is_some() {
            put(1u8, self.out);
        }
        self.item(value)
    }

    fn serialize_unit(mut self) -> Result<(), Wrong> {
        self.kind(Kind::Unit)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Wrong> {
        self.group(name, None, Content::Unit, 0).map(drop)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Wrong> {
        self.group(name, Some((index, variant)), Content::Unit, 0).map(drop)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Wrong> {
        self.group(name, None, Content::Newtype, 1)?.item(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Wrong> {
        self.group(name, Some((index, variant)), Content::Newtype, 1)?.item(value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self, Wrong> {
        self.several(Kind::Sequence, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self, Wrong> {
        self.group("", None, Content::Tuple, len)
    }

    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Self, Wrong> {
        self.group(name, None, Content::Tuple, len)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, Wrong> {
        self.group(name, Some((index, variant)), Content::Tuple, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self, Wrong> {
        self.several(Kind::Map, len)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self, Wrong> {
        self.group(name, None, Content::Struct, len)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, Wrong> {
        self.group(name, Some((index, variant)), Content::Struct, len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! items {
    ($($trait:ident $method:ident;)*) => {$(
        impl $trait for Writer<'_> {
            type Ok = ();
            type Error = Wrong;
            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Wrong> {
                self.item(value)
            }
            fn end(self) -> Result<(), Wrong> {
                self.finish()
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
        impl $trait for Writer<'_> {
            type Ok = ();
            type Error = Wrong;
            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Wrong> {
                self.key(key);
                self.item(value)
            }
            fn end(self) -> Result<(), Wrong> {
                self.finish()
            }
        }
    )*};
}
fields! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Writer<'_> {
    type Ok = ();
    type Error = Wrong;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Wrong> {
        self.item(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Wrong> {
        self.item(value)
    }
    fn end(self) -> Result<(), Wrong> {
        self.finish()
    }
}
