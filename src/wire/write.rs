//! Writing a value with serde: in the compact form as long as that is what its type reads, or described.
//!
//! The described form says of each item what it is, and has the names of fields and variants. It keeps apart whatever
//! serde does: `None`, `Some(None)` and `()`, numbers of each width, the order of maps. Formats for exchange, CBOR
//! or MessagePack say, do not.

use super::{
    codec::{Scalar, put},
    kind::{Kind, Wrong, on_a_large_stack},
    shape::Node,
};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Appends a value: compact if there is a node to compare it with, else described.
pub(super) fn write<T: Serialize + ?Sized>(
    value: &T,
    node: Option<&'static Node>,
    out: &mut Vec<u8>,
) -> Result<(), Wrong> {
    value.serialize(Writer { out, node })
}

/// Writes an item.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    node: Option<&'static Node>,
}

/// Writes the items of what has begun.
struct Items<'a> {
    out: &'a mut Vec<u8>,
    expected: Expected,
}

/// What the items are compared with.
#[derive(Clone, Copy)]
enum Expected {
    /// Nothing: they are described.
    Any,
    /// The same node for each.
    Each(&'static Node),
    /// A key and a value in turn.
    InTurn(&'static [Node; 2], usize),
    /// One node after the other.
    Fields(&'static [Node]),
}

#[cold]
fn unfit() -> Wrong {
    Wrong::new("it writes other things than it reads")
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

impl<'a> Writer<'a> {
    #[inline]
    fn kind(&mut self, kind: Kind) -> Result<(), Wrong> {
        match self.node {
            Some(Node::Scalar(asked)) if *asked == kind => {}
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

    /// The front of a tuple or a struct.
    #[inline]
    fn fields(self, kind: Kind, count: usize) -> Result<Items<'a>, Wrong> {
        let expected = match self.node {
            Some(Node::Fields(fields)) if fields.len() == count => Expected::Fields(fields),
            Some(_) => return Err(unfit()),
            None => {
                self.out.push(kind as u8);
                Expected::Any
            }
        };
        Ok(Items { out: self.out, expected })
    }

    /// The front of a variant.
    #[inline]
    fn variant(
        self,
        index: u32,
        name: &'static str,
        content: Option<Kind>,
        count: usize,
    ) -> Result<Items<'a>, Wrong> {
        let expected = match self.node {
            Some(Node::Enum(variants, _)) => match variants.get(index as usize) {
                Some(Some(fields)) if fields.len() == count => {
                    put(index, self.out);
                    Expected::Fields(fields)
                }
                _ => return Err(unfit()),
            },
            Some(_) => return Err(unfit()),
            None => {
                self.out.push(
                    if count == 0 && content.is_none() { Kind::UnitVariant } else { Kind::Variant } as u8,
                );
                bytes(name.as_bytes(), self.out);
                self.out.extend(content.map(|kind| kind as u8));
                Expected::Any
            }
        };
        Ok(Items { out: self.out, expected })
    }
}

impl Items<'_> {
    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Wrong> {
        let node = match &mut self.expected {
            // Types that contain themselves are described, as deep as they may be.
            Expected::Any => {
                let out = &mut *self.out;
                return on_a_large_stack(|| write(value, None, out));
            }
            Expected::Each(node) => node,
            Expected::InTurn(nodes, turn) => {
                *turn ^= 1;
                &nodes[*turn ^ 1]
            }
            Expected::Fields(fields) => {
                let (first, rest) = fields.split_first().ok_or_else(unfit)?;
                *fields = rest;
                first
            }
        };
        write(value, Some(node), self.out)
    }

    fn key(&mut self, key: &'static str) {
        if let Expected::Any = self.expected {
            self.out.push(Kind::Text as u8);
            bytes(key.as_bytes(), self.out);
        }
    }

    fn finish(self) -> Result<(), Wrong> {
        match self.expected {
            Expected::Any => self.out.push(Kind::End as u8),
            Expected::Fields([_, ..]) => return Err(unfit()),
            _ => {}
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

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Wrong;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

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
        bytes(value.as_bytes(), self.out);
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Wrong> {
        self.kind(Kind::Bytes)?;
        bytes(value, self.out);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Wrong> {
        match self.node {
            Some(Node::Option(_)) => put(0u8, self.out),
            Some(_) => return Err(unfit()),
            None => self.out.push(Kind::None as u8),
        }
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Wrong> {
        let expected = match self.node {
            Some(Node::Option(inner)) => {
                put(1u8, self.out);
                Expected::Each(inner)
            }
            Some(_) => return Err(unfit()),
            None => {
                self.out.push(Kind::Some as u8);
                Expected::Any
            }
        };
        Items { out: self.out, expected }.item(value)
    }

    fn serialize_unit(mut self) -> Result<(), Wrong> {
        self.kind(Kind::Unit)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Wrong> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, name: &'static str) -> Result<(), Wrong> {
        self.variant(index, name, None, 0).map(drop)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Wrong> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Wrong> {
        self.variant(index, name, None, 1)?.item(value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'a>, Wrong> {
        let expected = match (self.node, len) {
            (Some(Node::Sequence(inner)), Some(len)) => {
                put(len as u64, self.out);
                Expected::Each(inner)
            }
            (Some(_), _) => return Err(unfit()),
            (None, _) => {
                self.out.push(Kind::Sequence as u8);
                Expected::Any
            }
        };
        Ok(Items { out: self.out, expected })
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<'a>, Wrong> {
        self.fields(Kind::Tuple, len)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items<'a>, Wrong> {
        self.fields(Kind::Tuple, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Items<'a>, Wrong> {
        self.variant(index, name, Some(Kind::Tuple), len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Items<'a>, Wrong> {
        let expected = match (self.node, len) {
            (Some(Node::Map(inner)), Some(len)) => {
                put(len as u64, self.out);
                Expected::InTurn(inner, 0)
            }
            (Some(_), _) => return Err(unfit()),
            (None, _) => {
                self.out.push(Kind::Map as u8);
                Expected::Any
            }
        };
        Ok(Items { out: self.out, expected })
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Items<'a>, Wrong> {
        self.fields(Kind::Map, len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Items<'a>, Wrong> {
        self.variant(index, name, Some(Kind::Map), len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! items {
    ($($trait:ident $method:ident;)*) => {$(
        impl $trait for Items<'_> {
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
        impl $trait for Items<'_> {
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

impl SerializeMap for Items<'_> {
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
