//! What a type reads: found out once, by letting it read from a source that makes everything up.
//!
//! The compact form has no names, lengths of structs or types in it, so it fits only where a type reads exactly what it
//! writes. Most types do. A type with the serde attributes `untagged`, `tag` or `flatten` looks at what has come
//! before it decides, and one with `skip_serializing_if` may leave out what its reader waits for. The probe notes
//! every struct, variant and kind of value that a type asks for, in all its variants; whatever is then written is
//! compared with that.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor, value::Error,
};
use std::{
    any::TypeId,
    cell::RefCell,
    collections::HashMap,
    hash::BuildHasherDefault,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What a type asks for when it is read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Whether it wants to be told what has come.
    pub(super) looks: bool,
    groups: Vec<Group>,
    kinds: u32,
}

/// A struct or a variant of an enum, and the number of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) variant: Option<u32>,
    pub(super) form: Form,
    pub(super) fields: usize,
}

/// How the fields of a group are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Unit,
    Newtype,
    Tuple,
    Struct,
}

/// What is read without a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    Bytes,
    Option,
    Unit,
    Sequence,
    Tuple,
    Map,
}

impl Shape {
    /// That of a type, which is found out when it is first asked for.
    pub(super) fn of<T: for<'de> Deserialize<'de> + 'static>() -> &'static Shape {
        thread_local! {
            static KNOWN: RefCell<HashMap<TypeId, &'static Shape, BuildHasherDefault<ByItself>>> =
                RefCell::default();
        }
        let id = TypeId::of::<T>();
        if let Some(shape) = KNOWN.with_borrow(|known| known.get(&id).copied()) {
            return shape;
        }
        // There are as many as types and threads.
        let shape = Box::leak(Box::new(Shape::probe::<T>()));
        KNOWN.with_borrow_mut(|known| known.insert(id, shape));
        shape
    }

    fn probe<T: for<'de> Deserialize<'de>>() -> Shape {
        let mut probe = Probe::default();
        loop {
            probe.new = false;
            probe.runs += 1;
            let read = || T::deserialize(Reading { probe: &mut probe, depth: 0, key: false }).is_ok();
            if !catch_unwind(AssertUnwindSafe(read)).unwrap_or(false) {
                // Perhaps it does not like what was made up; nothing is known of what would have come behind.
                probe.shape.looks = true;
            }
            let complete = probe.enums.iter().all(|known| known.next >= known.variants.len());
            if probe.shape.looks || complete && !probe.new {
                return probe.shape;
            }
        }
    }

    /// Whether a group that is written is one that is read.
    #[inline]
    pub(super) fn has(&self, group: Group) -> bool {
        self.groups.iter().any(|known| {
            known.fields == group.fields
                && known.variant == group.variant
                && known.form == group.form
                && (std::ptr::eq(known.name, group.name) || known.name == group.name)
        })
    }

    #[inline]
    pub(super) fn has_kind(&self, kind: Kind) -> bool {
        self.kinds >> kind as u32 & 1 == 1
    }
}

/// A type's identifier is a hash already.
#[derive(Default)]
struct ByItself(u64);

impl std::hash::Hasher for ByItself {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

#[derive(Default)]
struct Probe {
    shape: Shape,
    enums: Vec<Known>,
    /// Whether this run has met an enum for the first time.
    new: bool,
    steps: u32,
    runs: u32,
}

/// An enum, and the variant that is tried when it is met again.
struct Known {
    name: &'static str,
    variants: &'static [&'static str],
    next: usize,
}

/// A type that is larger than this, or contains itself deeper, may as well be described.
const STEPS: u32 = 50_000;
const RUNS: u32 = 2_000;
const DEPTH: u32 = 48;

impl Probe {
    fn group(&mut self, group: Group) {
        if !self.shape.has(group) {
            self.shape.groups.push(group);
        }
    }

    /// The variant that an enum is to have this time: one after the other.
    fn variant(&mut self, name: &'static str, variants: &'static [&'static str]) -> u32 {
        let known = |known: &Known| known.name == name && known.variants == variants;
        let at = self.enums.iter().position(known).unwrap_or_else(|| {
            self.new = true;
            self.enums.push(Known { name, variants, next: 0 });
            self.enums.len() - 1
        });
        let known = &mut self.enums[at];
        let variant = known.next % variants.len().max(1);
        known.next += 1;
        variant as u32
    }
}

/// A source in which everything is there once, and is one.
struct Reading<'a> {
    probe: &'a mut Probe,
    depth: u32,
    /// Whether this is the key of a map.
    key: bool,
}

impl Reading<'_> {
    /// What lies inside of this.
    fn inner(&mut self) -> Reading<'_> {
        Reading { probe: self.probe, depth: self.depth + 1, key: false }
    }

    /// Goes a step on, unless it has been too many.
    fn step(&mut self, kind: Option<Kind>) -> Result<(), Error> {
        self.probe.steps += 1;
        if self.probe.steps > STEPS || self.probe.runs > RUNS || self.depth > DEPTH {
            return Err(Error::custom("too large to be tried out"));
        }
        if let Some(kind) = kind {
            self.probe.shape.kinds |= 1 << kind as u32;
        }
        Ok(())
    }

    /// The type wants to be told what has come.
    fn looks<V>(self) -> Result<V, Error> {
        self.probe.shape.looks = true;
        Err(Error::custom("it looks at what has come"))
    }
}

macro_rules! ones {
    ($($method:ident $kind:ident $visit:ident $one:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
            self.step(Some(Kind::$kind))?;
            visitor.$visit($one)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reading<'_> {
    type Error = Error;

    ones! {
        deserialize_bool Bool visit_bool true;
        deserialize_i8 I8 visit_i8 1;
        deserialize_i16 I16 visit_i16 1;
        deserialize_i32 I32 visit_i32 1;
        deserialize_i64 I64 visit_i64 1;
        deserialize_i128 I128 visit_i128 1;
        deserialize_u8 U8 visit_u8 1;
        deserialize_u16 U16 visit_u16 1;
        deserialize_u32 U32 visit_u32 1;
        deserialize_u64 U64 visit_u64 1;
        deserialize_u128 U128 visit_u128 1;
        deserialize_f32 F32 visit_f32 1.0;
        deserialize_f64 F64 visit_f64 1.0;
        deserialize_char Char visit_char '1';
        deserialize_str Text visit_str "1";
        deserialize_string Text visit_str "1";
        deserialize_bytes Bytes visit_bytes &[1];
        deserialize_byte_buf Bytes visit_bytes &[1];
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.looks()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.looks()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.key {
            // The keys of a map are names of fields: it is a struct that was flattened.
            true => self.looks(),
            false => visitor.visit_u32(0),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.step(Some(Kind::Option))?;
        visitor.visit_some(self.inner())
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.step(Some(Kind::Unit))?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.step(None)?;
        self.probe.group(Group { name, variant: None, form: Form::Unit, fields: 0 });
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.step(None)?;
        self.probe.group(Group { name, variant: None, form: Form::Newtype, fields: 1 });
        visitor.visit_newtype_struct(self.inner())
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.step(Some(Kind::Sequence))?;
        visitor.visit_seq(Items { reading: self.inner(), left: 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.step(Some(Kind::Tuple))?;
        visitor.visit_seq(Items { reading: self.inner(), left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.step(None)?;
        self.probe.group(Group { name, variant: None, form: Form::Tuple, fields: len });
        visitor.visit_seq(Items { reading: self.inner(), left: len })
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.step(Some(Kind::Map))?;
        visitor.visit_map(Items { reading: self.inner(), left: 1 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.step(None)?;
        self.probe.group(Group { name, variant: None, form: Form::Struct, fields: fields.len() });
        visitor.visit_seq(Items { reading: self.inner(), left: fields.len() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.step(None)?;
        let variant = self.probe.variant(name, variants);
        visitor.visit_enum(Variant { reading: self.inner(), name, variant })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// So many items, or entries of a map.
struct Items<'a> {
    reading: Reading<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.reading.inner()).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Reading { key: true, ..self.reading.inner() }).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.reading.inner())
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// One variant of an enum.
struct Variant<'a> {
    reading: Reading<'a>,
    name: &'static str,
    variant: u32,
}

impl Variant<'_> {
    fn group(&mut self, form: Form, fields: usize) {
        let (name, variant) = (self.name, Some(self.variant));
        self.reading.probe.group(Group { name, variant, form, fields });
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let variant = seed.deserialize(IntoDeserializer::<Error>::into_deserializer(self.variant))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(mut self) -> Result<(), Error> {
        self.group(Form::Unit, 0);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, Error> {
        self.group(Form::Newtype, 1);
        seed.deserialize(self.reading)
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.group(Form::Tuple, len);
        visitor.visit_seq(Items { reading: self.reading, left: len })
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.group(Form::Struct, fields.len());
        visitor.visit_seq(Items { reading: self.reading, left: fields.len() })
    }
}
