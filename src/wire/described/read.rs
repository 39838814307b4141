//! Reading: the items say what they are, and hints of the type are hardly needed.

use super::{Tag, Wrong};
use serde::{
    Deserialize,
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
        SeqAccess, VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

/// Reads a value and moves the slice behind it.
pub(in crate::wire) fn read<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, Wrong> {
    T::deserialize(Reader { bytes })
}

struct Reader<'a, 'b> {
    bytes: &'a mut &'b [u8],
}

impl<'b> Reader<'_, 'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], Wrong> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(ends)?;
        *self.bytes = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or_else(ends)?;
        *self.bytes = rest;
        Ok(*taken)
    }

    fn tag(&mut self) -> Result<Tag, Wrong> {
        let [tag] = self.number()?;
        Tag::ALL.get(usize::from(tag)).copied().ok_or_else(|| Wrong::custom("an item of an unknown kind"))
    }

    /// The kind of the next item, which stays there.
    fn next(&self) -> Option<Tag> {
        Tag::ALL.get(usize::from(*self.bytes.first()?)).copied()
    }

    fn bytes(&mut self) -> Result<&'b [u8], Wrong> {
        let length = u64::from_le_bytes(self.number()?);
        self.take(usize::try_from(length).map_err(|_| ends())?)
    }

    fn text(&mut self) -> Result<&'b str, Wrong> {
        std::str::from_utf8(self.bytes()?).map_err(Wrong::custom)
    }

    /// What lies inside of this.
    fn inner(&mut self) -> Reader<'_, 'b> {
        Reader { bytes: self.bytes }
    }

    /// The end of a sequence or a map.
    fn end(&mut self) -> Result<(), Wrong> {
        match self.tag()? {
            Tag::End => Ok(()),
            _ => Err(Wrong::custom("it has more items than are read")),
        }
    }

    /// The next item, whatever it is.
    fn item<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Wrong> {
        match self.tag()? {
            Tag::Unit => visitor.visit_unit(),
            Tag::None => visitor.visit_none(),
            Tag::Some => visitor.visit_some(self.inner()),
            Tag::False => visitor.visit_bool(false),
            Tag::True => visitor.visit_bool(true),
            Tag::I8 => visitor.visit_i8(i8::from_le_bytes(self.number()?)),
            Tag::I16 => visitor.visit_i16(i16::from_le_bytes(self.number()?)),
            Tag::I32 => visitor.visit_i32(i32::from_le_bytes(self.number()?)),
            Tag::I64 => visitor.visit_i64(i64::from_le_bytes(self.number()?)),
            Tag::I128 => visitor.visit_i128(i128::from_le_bytes(self.number()?)),
            Tag::U8 => visitor.visit_u8(u8::from_le_bytes(self.number()?)),
            Tag::U16 => visitor.visit_u16(u16::from_le_bytes(self.number()?)),
            Tag::U32 => visitor.visit_u32(u32::from_le_bytes(self.number()?)),
            Tag::U64 => visitor.visit_u64(u64::from_le_bytes(self.number()?)),
            Tag::U128 => visitor.visit_u128(u128::from_le_bytes(self.number()?)),
            Tag::F32 => visitor.visit_f32(f32::from_le_bytes(self.number()?)),
            Tag::F64 => visitor.visit_f64(f64::from_le_bytes(self.number()?)),
            Tag::Char => {
                let code = u32::from_le_bytes(self.number()?);
                visitor.visit_char(char::from_u32(code).ok_or_else(|| Wrong::custom("no character"))?)
            }
            Tag::Text | Tag::UnitVariant => visitor.visit_str(self.text()?),
            Tag::Bytes => visitor.visit_bytes(self.bytes()?),
            Tag::Sequence => self.sequence(visitor),
            Tag::Map => self.map(visitor),
            // As others see an enum: a map of one entry.
            Tag::Variant => {
                let name = self.text()?;
                visitor.visit_map(Entry { name: Some(name), content: self })
            }
            Tag::End => Err(Wrong::custom("it has fewer items than are read")),
        }
    }

    fn sequence<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Wrong> {
        let value = visitor.visit_seq(Items(&mut self))?;
        self.end()?;
        Ok(value)
    }

    fn map<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Wrong> {
        let value = visitor.visit_map(Items(&mut self))?;
        self.end()?;
        Ok(value)
    }
}

fn ends() -> Wrong {
    Wrong::custom("the message ends inside it")
}

impl<'de> Deserializer<'de> for Reader<'_, '_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        // Values may contain each other as deep as the program likes.
        super::on_a_large_stack(|| self.item(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Wrong> {
        match self.next() {
            Some(Tag::None | Tag::Some | Tag::Unit) | None => self.deserialize_any(visitor),
            Some(_) => visitor.visit_some(self.inner()),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self.inner())
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.next() {
            Some(Tag::UnitVariant | Tag::Text) => {
                self.tag()?;
                let name: StrDeserializer<'_, Wrong> = self.text()?.into_deserializer();
                visitor.visit_enum(name)
            }
            Some(Tag::Variant) => {
                self.tag()?;
                let name = self.text()?;
                visitor.visit_enum(Entry { name: Some(name), content: self })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items up to the end of a sequence or a map, which stays there.
struct Items<'a, 'b, 'c>(&'a mut Reader<'b, 'c>);

impl<'de> SeqAccess<'de> for Items<'_, '_, '_> {
    type Error = Wrong;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        match self.0.next() {
            Some(Tag::End) => Ok(None),
            _ => seed.deserialize(self.0.inner()).map(Some),
        }
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_, '_> {
    type Error = Wrong;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        seed.deserialize(self.0.inner())
    }
}

/// A variant with content, as itself or as a map of one entry.
struct Entry<'a, 'b> {
    name: Option<&'b str>,
    content: Reader<'a, 'b>,
}

impl<'de> MapAccess<'de> for Entry<'_, '_> {
    type Error = Wrong;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        let Some(name) = self.name.take() else { return Ok(None) };
        let name: StrDeserializer<'_, Wrong> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        seed.deserialize(self.content.inner())
    }
}

impl<'de, 'a, 'b> EnumAccess<'de> for Entry<'a, 'b> {
    type Error = Wrong;
    type Variant = Reader<'a, 'b>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Reader<'a, 'b>), Wrong> {
        let name: StrDeserializer<'_, Wrong> = self.name.unwrap_or_default().into_deserializer();
        Ok((seed.deserialize(name)?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_, '_> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Wrong> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }
}
