//! Writing.

use super::{Tag, Wrong};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Appends a value.
pub(in crate::wire) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Wrong> {
    super::on_a_large_stack(|| value.serialize(Writer(out)))
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn tag(&mut self, tag: Tag) {
        self.0.push(tag as u8);
    }

    fn text(&mut self, text: &[u8]) {
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text);
    }

    fn variant(&mut self, name: &str, content: Option<Tag>) {
        self.tag(if content.is_some() { Tag::Variant } else { Tag::UnitVariant });
        self.text(name.as_bytes());
        if let Some(content) = content {
            self.tag(content);
        }
    }
}

macro_rules! numbers {
    ($($method:ident $number:ty, $tag:ident;)*) => {$(
        fn $method(mut self, value: $number) -> Result<(), Wrong> {
            self.tag(Tag::$tag);
            self.0.extend_from_slice(&value.to_le_bytes());
            Ok(())
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

    numbers! {
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
    }

    fn serialize_bool(mut self, value: bool) -> Result<(), Wrong> {
        self.tag(if value { Tag::True } else { Tag::False });
        Ok(())
    }

    fn serialize_char(mut self, value: char) -> Result<(), Wrong> {
        self.tag(Tag::Char);
        self.0.extend_from_slice(&u32::from(value).to_le_bytes());
        Ok(())
    }

    fn serialize_str(mut self, value: &str) -> Result<(), Wrong> {
        self.tag(Tag::Text);
        self.text(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Wrong> {
        self.tag(Tag::Bytes);
        self.text(value);
        Ok(())
    }

    fn serialize_none(mut self) -> Result<(), Wrong> {
        self.tag(Tag::None);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Wrong> {
        self.tag(Tag::Some);
        write(value, self.0)
    }

    fn serialize_unit(mut self) -> Result<(), Wrong> {
        self.tag(Tag::Unit);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Wrong> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(mut self, _: &'static str, _: u32, name: &'static str) -> Result<(), Wrong> {
        self.variant(name, None);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Wrong> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Wrong> {
        self.tag(Tag::Variant);
        self.text(name.as_bytes());
        write(value, self.0)
    }

    fn serialize_seq(mut self, _: Option<usize>) -> Result<Self, Wrong> {
        self.tag(Tag::Sequence);
        Ok(self)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self, Wrong> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Self, Wrong> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self, Wrong> {
        self.variant(name, Some(Tag::Sequence));
        Ok(self)
    }

    fn serialize_map(mut self, _: Option<usize>) -> Result<Self, Wrong> {
        self.tag(Tag::Map);
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Self, Wrong> {
        self.serialize_map(Some(len))
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self, Wrong> {
        self.variant(name, Some(Tag::Map));
        Ok(self)
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
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Wrong> {
                write(value, self.0)
            }
            fn end(mut self) -> Result<(), Wrong> {
                self.tag(Tag::End);
                Ok(())
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
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Wrong> {
                write(key, self.0)?;
                write(value, self.0)
            }
            fn end(mut self) -> Result<(), Wrong> {
                self.tag(Tag::End);
                Ok(())
            }
        }
    )*};
}
fields! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Writer<'_> {
    type Ok = ();
    type Error = Wrong;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Wrong> {
        write(key, self.0)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Wrong> {
        write(value, self.0)
    }
    fn end(mut self) -> Result<(), Wrong> {
        self.tag(Tag::End);
        Ok(())
    }
}
