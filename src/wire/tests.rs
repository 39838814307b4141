//! Whatever a type does with serde, its values arrive as they were sent, or are refused.

use super::{decode, encode_to_vec, travels};
use crate::wire::Value;
use proptest::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    num::NonZeroU64,
};

/// The first byte of a compact value.
const COMPACT: u8 = 0;

/// Sends a value alone, among others, and behind others; its bytes.
fn send<T: Value + PartialEq + Debug + Clone>(value: T) -> Vec<u8> {
    let bytes = encode_to_vec(&value).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    let back: T = decode(&bytes).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    assert_eq!(back, value);
    let several = (7u8, vec![value.clone(), value.clone()], Some(value), 9u64);
    let back: (u8, Vec<T>, Option<T>, u64) =
        decode(&encode_to_vec(&several).expect("several")).expect("several");
    assert_eq!(back, several);
    bytes
}

fn is_compact(bytes: &[u8]) -> bool {
    bytes[0] == COMPACT
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    a: Option<u8>,
    b: u64,
    c: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SparseTuple(u8, #[serde(skip_serializing_if = "Vec::is_empty", default)] Vec<u8>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum SparseVariant {
    Struct {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<u8>,
        b: u64,
    },
    Tuple(u8, #[serde(skip_serializing_if = "Vec::is_empty", default)] Vec<u8>),
}

#[test]
fn fields_that_are_left_out_are_left_out_on_arrival() {
    assert!(!is_compact(&send(Sparse { a: None, b: 0, c: vec![0] })));
    assert!(is_compact(&send(Sparse { a: Some(1), b: 2, c: vec![3] })));
    send(SparseTuple(1, vec![]));
    assert!(is_compact(&send(SparseTuple(1, vec![2]))));
    send(SparseVariant::Struct { a: None, b: 1 });
    send(SparseVariant::Struct { a: Some(3), b: 1 });
    send(SparseVariant::Tuple(1, vec![]));
    send(SparseVariant::Tuple(1, vec![1]));
    send(vec![(1u8, Sparse::default()), (2, Sparse { a: Some(1), ..Sparse::default() })]);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Float(f64),
    Text(String),
    Point { x: f32, y: Option<Option<u8>> },
    Pair(u8, Option<()>),
    Nested(Vec<Untagged>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Empty,
    Sparse(Sparse),
    Circle { radius: f64, colour: Colour },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Empty,
    One(u16),
    Two(u8, char),
    Struct { a: Colour },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Colour {
    Red,
    Mixed(u8, u8),
    Other {
        name: char,
    },
    #[serde(rename = "light")]
    Light(u8),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Inner {
    colour: Colour,
    value: f64,
}

#[test]
fn types_that_look_at_what_has_come_see_what_was_sent() {
    let untagged = [
        Untagged::Number(-3),
        Untagged::Float(1.0),
        Untagged::Float(f64::INFINITY),
        Untagged::Text("x".into()),
        Untagged::Point { x: 0.1, y: None },
        Untagged::Point { x: 0.1, y: Some(None) },
        Untagged::Point { x: 0.1, y: Some(Some(1)) },
        Untagged::Pair(1, None),
        Untagged::Pair(1, Some(())),
        Untagged::Nested(vec![Untagged::Number(1), Untagged::Nested(vec![])]),
    ];
    for value in untagged.clone() {
        assert!(!is_compact(&send(value)));
    }
    send(untagged.to_vec());
    let colours = [Colour::Red, Colour::Mixed(1, 2), Colour::Other { name: 'ß' }, Colour::Light(9)];
    for colour in colours {
        assert!(is_compact(&send(colour)));
        send(Tagged::Circle { radius: -0.0, colour });
        send(Adjacent::Struct { a: colour });
        let rest = BTreeMap::from([("more".to_owned(), Untagged::Number(1))]);
        send(Flat { name: "n".into(), inner: Inner { colour, value: 0.1 }, rest });
        send(HashMap::from([(colour, vec![Adjacent::Empty])]));
    }
    send(Tagged::Empty);
    send(Tagged::Sparse(Sparse { a: None, b: 0, c: vec![0] }));
    for value in [Adjacent::Empty, Adjacent::One(1), Adjacent::Two(1, 'a')] {
        send(value);
    }
    send(serde_json::json!({ "a": [1, -2.5, null, true, "x", u64::MAX], "b": {} }));
}

/// Written as a sequence and read as an array, which has no length in front.
mod as_sequence {
    use super::*;
    pub(super) fn serialize<S: Serializer>(values: &[u64; 2], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u64; 2], D::Error> {
        Deserialize::deserialize(deserializer)
    }
}

/// Written with 32 bits and read with 64.
mod narrow {
    use super::*;
    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(u32::try_from(*value).map_err(serde::ser::Error::custom)?)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Deserialize::deserialize(deserializer)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ByHand {
    #[serde(with = "as_sequence")]
    sequence: [u64; 2],
    #[serde(with = "narrow")]
    narrow: u64,
    #[serde(rename(serialize = "text", deserialize = "text"))]
    last: String,
}

/// Panics over what the probe makes up.
#[derive(Debug, Clone, PartialEq)]
struct Fussy(String);

impl Serialize for Fussy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Fussy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert!(text.starts_with("fussy"), "{text} is not for me");
        Ok(Fussy(text))
    }
}

#[test]
fn types_that_read_other_things_than_they_write_are_read_by_what_was_written() {
    send(ByHand { sequence: [1, 2], narrow: 3, last: "x".into() });
    send(vec![Fussy("fussy".into())]);
    let addresses: [std::net::IpAddr; 2] = ["::1".parse().expect("v6"), "127.0.0.1".parse().expect("v4")];
    send(addresses.to_vec());
    send((std::time::Duration::new(1, 5), std::time::UNIX_EPOCH, std::path::PathBuf::from("/x")));
    send((NonZeroU64::MIN, std::cmp::Reverse(3u8), Ok::<u8, String>(1), Err::<u8, _>("e".to_owned())));
    send((1u64..5, 2i8..=3, 'x', i128::MIN, u128::MAX, (), [(); 3]));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf(u64),
    Node(Box<Tree>, Box<Tree>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Chain(u32, Option<Box<Chain>>);

#[test]
fn values_contain_each_other_as_deep_as_they_like() {
    let leaf = || Box::new(Tree::Leaf(3));
    send(Tree::Node(Box::new(Tree::Node(leaf(), leaf())), leaf()));
    let mut chain = None;
    for number in 0..20_000 {
        chain = Some(Box::new(Chain(number, chain)));
    }
    let mut back: Option<Box<Chain>> = decode(&encode_to_vec(&chain).expect("a chain")).expect("a chain");
    let mut length = 0;
    // Dropped link by link, as a drop of the whole would go as deep.
    for chain in [&mut chain, &mut back] {
        while let Some(mut link) = chain.take() {
            length += 1;
            *chain = link.1.take();
        }
    }
    assert_eq!(length, 40_000);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fit {
    estimates: ndarray::Array1<f64>,
    covariance: ndarray::Array2<f64>,
    any: ndarray::ArrayD<f32>,
    complex: num_complex::Complex64,
    by_name: HashMap<String, (f64, Option<u32>)>,
    bounds: [f64; 2],
    colour: Option<Colour>,
}

#[test]
fn what_can_be_compact_is() {
    let fit = Fit {
        estimates: ndarray::arr1(&[1.0, 2.0]),
        covariance: ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]),
        any: ndarray::arr1(&[0.5f32]).into_dyn(),
        complex: num_complex::Complex64::new(1.0, -1.0),
        by_name: HashMap::from([("a".to_owned(), (1.5, Some(2)))]),
        bounds: [0.0, 1.0],
        colour: Some(Colour::Mixed(3, 4)),
    };
    assert!(is_compact(&send(fit)));
    assert_eq!(send(1u64).len(), 8, "a number is nothing but its bytes");
    assert_eq!(send((1u64, 2.5f64)).len(), 17);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Wide {
    Number(u128),
}

/// Keeps another value than it was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lossy {
    #[serde(skip_serializing)]
    lost: u32,
}

#[test]
fn what_cannot_travel_is_refused_and_says_where_to_look() {
    let error = travels(&Wide::Number(1 << 100)).expect_err("serde's buffer holds no 128-bit integers");
    let error = error.to_string();
    assert!(error.contains("Wide") && error.contains("untagged") && error.contains("128-bit"), "{error}");
    let error = travels(&Lossy { lost: 1 }).expect_err("nothing was written for the field").to_string();
    assert!(error.contains("Lossy") && error.contains("skip_serializing"), "{error}");
}

/// Enums of which serde reads the first variant that fits, which may be another one than was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Ambiguous {
    Float(f32),
    Wide(f64),
    Byte(u8),
    Unsigned(u64),
    Signed(i64),
    Pair(u8, u8),
    Several(Vec<u8>),
    Letter(char),
    Text(String),
    Nothing,
    Perhaps(Option<u8>),
    First { x: Option<u8> },
    Second { y: Option<u8> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unread {
    a: u8,
    #[serde(skip_deserializing)]
    b: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Crossed {
    #[serde(rename(serialize = "y", deserialize = "x"))]
    x: u8,
    #[serde(rename(serialize = "x", deserialize = "y"))]
    y: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FlatCrossed {
    #[serde(flatten)]
    crossed: Crossed,
}

/// It arrives as it was, or is refused: alone, and wherever it is.
fn equal_or_refused<T: Value + PartialEq + Debug + Clone>(value: T) -> bool {
    let arrived = |value: &T| encode_to_vec(value).map(|bytes| decode::<T>(&bytes).expect("it was accepted"));
    let refused = arrived(&value).map(|back| assert_eq!(back, value)).is_err();
    let several = vec![value; 3];
    match encode_to_vec(&several) {
        Ok(bytes) => assert_eq!(decode::<Vec<T>>(&bytes).expect("they were accepted"), several),
        Err(_) => assert!(refused),
    }
    refused
}

#[test]
fn a_value_that_would_arrive_as_another_is_refused() {
    let ambiguous = [
        (Ambiguous::Float(0.1), false),
        (Ambiguous::Wide(0.1), true),
        (Ambiguous::Byte(1), false),
        (Ambiguous::Unsigned(1), true),
        (Ambiguous::Unsigned(1 << 40), false),
        (Ambiguous::Signed(1), true),
        (Ambiguous::Signed(-1), false),
        (Ambiguous::Pair(1, 2), false),
        (Ambiguous::Several(vec![1, 2]), true),
        (Ambiguous::Several(vec![1, 2, 3]), false),
        (Ambiguous::Letter('x'), false),
        (Ambiguous::Text("x".into()), true),
        (Ambiguous::Text("xy".into()), false),
        (Ambiguous::Nothing, false),
        (Ambiguous::Perhaps(None), true),
        (Ambiguous::First { x: Some(1) }, false),
        (Ambiguous::Second { y: Some(2) }, true),
    ];
    // An integer may be read as a float, too: then the first variants take it.
    for (value, other) in ambiguous {
        let refused = equal_or_refused(value.clone());
        assert!(refused || !other, "{value:?}");
    }
    assert!(!equal_or_refused(Ambiguous::Text("xy".into())));
    assert!(equal_or_refused(Unread { a: 1, b: 2 }) && !equal_or_refused(Unread { a: 1, b: 0 }));
    assert!(!equal_or_refused(Crossed { x: 1, y: 2 }), "without names it does not matter");
    assert!(equal_or_refused(FlatCrossed { crossed: Crossed { x: 1, y: 2 } }));
}

mod one {
    use super::*;
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(super) struct Same {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pub(super) x: Option<u8>,
        pub(super) y: u8,
    }
}

mod other {
    use super::*;
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(super) struct Same {
        pub(super) y: u8,
    }
}

/// A time in seconds that is written in milliseconds.
mod millis {
    use super::*;
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(time: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64((time * 1e3) as u64)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        f64::deserialize(deserializer).map(|millis| millis / 1e3)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Timed {
    #[serde(with = "millis")]
    t: f64,
    n: u64,
}

#[test]
fn each_place_is_compared_with_what_is_read_there() {
    send(Timed { t: 1.5, n: 7 });
    for x in [None, Some(1)] {
        send((one::Same { x, y: 2 }, other::Same { y: 3 }, vec![4u8]));
        send((other::Same { y: 3 }, one::Same { x, y: 2 }, vec![4u8]));
    }
    send((Some(1u8), Some(2u64), vec![(1u8, 2u16)], HashMap::from([(1u8, vec![2u64])])));
    send(std::collections::HashSet::from(["a".to_owned(), "b".to_owned(), "c".to_owned()]));
}

#[test]
fn the_order_of_sets_and_maps_in_a_described_value_does_not_matter() {
    let words = || ["a", "b", "c", "d", "e", "f"].map(str::to_owned);
    for _ in 0..20 {
        let map: HashMap<String, Untagged> =
            words().into_iter().zip([1, 2, 3, 4, 5, 6].map(Untagged::Number)).collect();
        send(map);
        let set: std::collections::HashSet<String> = words().into_iter().collect();
        send((set, Untagged::Number(1)));
    }
}

/// A type that has something of everything, and looks or does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct All<T> {
    number: i64,
    tree: T,
    sparse: Vec<Sparse>,
    colour: Colour,
    options: Option<Option<u8>>,
}

fn colours() -> impl Strategy<Value = Colour> {
    prop_oneof![
        Just(Colour::Red),
        any::<(u8, u8)>().prop_map(|(a, b)| Colour::Mixed(a, b)),
        any::<char>().prop_map(|name| Colour::Other { name }),
        any::<u8>().prop_map(Colour::Light),
    ]
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Untagged::Number),
        any::<f64>().prop_filter("a whole number is an integer", |x| x.is_finite()).prop_map(Untagged::Float),
        any::<String>().prop_map(Untagged::Text),
        (-1e9f32..1e9, any::<Option<Option<u8>>>()).prop_map(|(x, y)| Untagged::Point { x, y }),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| prop::collection::vec(inner, 3..5).prop_map(Untagged::Nested))
}

fn sparse() -> impl Strategy<Value = Vec<Sparse>> {
    prop::collection::vec(any::<(Option<u8>, u64, Vec<u8>)>().prop_map(|(a, b, c)| Sparse { a, b, c }), 0..4)
}

proptest! {
    #[test]
    fn values_of_all_kinds_round_trip(
        number: i64,
        tree in untagged(),
        sparse in sparse(),
        colour in colours(),
        options: Option<Option<u8>>,
        flat in prop::collection::btree_map("[a-z]{2}", untagged(), 0..4),
        end in any::<prop::sample::Index>(),
    ) {
        let plain = All { number, tree: (1u8, "t".to_owned()), sparse: sparse.clone(), colour, options };
        let bytes = send(plain);
        let cut = &bytes[..end.index(bytes.len())];
        prop_assert!(decode::<All<(u8, String)>>(cut).is_err(), "a part of it is not the whole");
        let bytes = send(All { number, tree, sparse, colour, options });
        let cut = &bytes[..end.index(bytes.len())];
        prop_assert!(decode::<All<Untagged>>(cut).is_err(), "a part of it is not the whole");
        send(Flat { name: String::new(), inner: Inner { colour, value: 0.5 }, rest: flat });
    }
}
