//! What holds for streams whatever they draw.

use std::panic::{UnwindSafe, catch_unwind};

use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Binomial, Distribution, Gamma, StandardNormal};
use serried::random::{Seed, Stream, StreamFamily};

fn stream(seed: u64) -> Stream {
    Stream::new(&Seed::from(seed), &[1, 2])
}

/// One thing to ask of a stream.
#[derive(Clone, Debug)]
enum Ask {
    Bits(usize),
    Random(usize),
    Normal(usize),
    Exponential(usize),
    Integer(i64),
    Advance(u128),
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    // Short and long fills, with the lengths of rows and blocks among them.
    let length = || prop_oneof![0..100usize, 200..600usize, (0..80usize).prop_map(|n| 16 * n)];
    let ask = prop_oneof![
        length().prop_map(Ask::Bits),
        length().prop_map(Ask::Random),
        length().prop_map(Ask::Normal),
        length().prop_map(Ask::Exponential),
        (1..i64::MAX).prop_map(Ask::Integer),
        (1..100i64).prop_map(Ask::Integer),
        any::<u128>().prop_map(Ask::Advance),
    ];
    prop::collection::vec(ask, 0..20)
}

impl Ask {
    /// The answer in one go.
    fn at_once(&self, stream: &mut Stream) -> Vec<u64> {
        let floats = |length, fill: fn(&mut Stream, &mut [f64])| {
            let mut values = vec![f64::NAN; length];
            move |stream: &mut Stream| {
                fill(stream, &mut values);
                values.into_iter().map(f64::to_bits).collect()
            }
        };
        match *self {
            Self::Bits(length) => {
                let mut values = vec![0; length];
                stream.fill_u64(&mut values);
                values
            }
            Self::Random(length) => floats(length, Stream::fill_random)(stream),
            Self::Normal(length) => floats(length, Stream::fill_standard_normal)(stream),
            Self::Exponential(length) => floats(length, Stream::fill_standard_exponential)(stream),
            Self::Integer(high) => vec![stream.integers(0, high) as u64],
            Self::Advance(draws) => {
                stream.advance(draws);
                Vec::new()
            }
        }
    }

    /// The answer, one draw after another.
    fn one_by_one(&self, stream: &mut Stream) -> Vec<u64> {
        let mut each = |length, draw: fn(&mut Stream) -> f64| -> Vec<u64> {
            (0..length).map(|_| draw(stream).to_bits()).collect()
        };
        match *self {
            Self::Bits(length) => (0..length).map(|_| stream.next_u64()).collect(),
            Self::Random(length) => each(length, Stream::random),
            Self::Normal(length) => each(length, Stream::standard_normal),
            Self::Exponential(length) => each(length, Stream::standard_exponential),
            Self::Integer(_) | Self::Advance(_) => self.at_once(stream),
        }
    }
}

proptest! {
    #[test]
    fn fills_are_one_by_one_draws(seed: u64, asks in asks()) {
        let mut at_once = stream(seed);
        let mut one_by_one = at_once.clone();
        for ask in asks {
            prop_assert_eq!(ask.at_once(&mut at_once), ask.one_by_one(&mut one_by_one));
            prop_assert_eq!(&at_once, &one_by_one, "after {:?}", ask);
        }
    }

    #[test]
    fn advances_add_up(seed: u64, first: u128, second: u128) {
        let mut twice = stream(seed);
        twice.advance(first);
        twice.advance(second);
        let mut once = stream(seed);
        once.advance(first.wrapping_add(second));
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn advance_counts_draws(seed: u64, draws in 0..500u16) {
        let mut far = stream(seed);
        far.advance(u128::from(draws));
        let mut near = stream(seed);
        near.fill_u64(&mut vec![0; usize::from(draws)]);
        prop_assert_eq!(far, near);
    }

    #[test]
    fn a_family_is_its_streams(seed: u128, key in prop::collection::vec(any::<u32>(), 0..12)) {
        let seed = Seed::from(seed);
        for front in 0..=key.len() {
            let (prefix, suffix) = key.split_at(front);
            let family = StreamFamily::new(&seed, prefix);
            prop_assert_eq!(family.stream(suffix), Stream::new(&seed, &key));
            prop_assert_eq!(family.subfamily(suffix).stream(&[]), Stream::new(&seed, &key));
        }
    }

    #[test]
    fn a_stream_travels_with_its_unused_half(seed: u64, halves in 0..4u8) {
        let mut here = stream(seed);
        for _ in 0..halves {
            here.next_u32();
        }
        let text = serde_json::to_string(&here).unwrap();
        let mut there: Stream = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&there, &here);
        prop_assert_eq!(there.next_u32(), here.next_u32());
        // A format may hold integers of up to 64 bits only.
        prop_assert!(serde_json::to_value(&here).is_ok());
    }
}

#[test]
fn a_long_fill_crosses_many_blocks() {
    let mut at_once = stream(5);
    let mut one_by_one = at_once.clone();
    for ask in [Ask::Normal(100_003), Ask::Exponential(100_001), Ask::Random(99_999)] {
        assert_eq!(ask.at_once(&mut at_once), ask.one_by_one(&mut one_by_one));
        assert_eq!(at_once, one_by_one);
    }
}

#[test]
fn advancing_drops_the_unused_half() {
    let mut halved = stream(6);
    halved.next_u32();
    halved.advance(u128::MAX);
    assert_eq!(halved, stream(6));
}

#[test]
fn filling_keeps_the_unused_half() {
    let mut halved = stream(7);
    let bits = stream(7).next_u64();
    halved.next_u32();
    halved.fill_random(&mut [0.0; 200]);
    assert_eq!(halved.next_u32(), (bits >> 32) as u32);
}

#[test]
fn the_rand_crates_draw_from_a_stream() {
    let mut ours = stream(8);
    let mut theirs = ours.clone();
    // Both take the upper 53 bits, so that these agree.
    assert_eq!(ours.random(), RngExt::random::<f64>(&mut theirs));
    let draws = 10_000;
    let mean = |total: f64| total / f64::from(draws);
    let normal = mean((0..draws).map(|_| theirs.sample::<f64, _>(StandardNormal)).sum());
    assert!(normal.abs() < 0.05, "{normal}");
    let gamma = Gamma::new(2.0, 3.0).unwrap();
    let gamma = mean((0..draws).map(|_| gamma.sample(&mut theirs)).sum());
    assert!((gamma - 6.0).abs() < 0.2, "{gamma}");
    let heads = Binomial::new(10, 0.5).unwrap();
    let heads = mean((0..draws).map(|_| heads.sample(&mut theirs) as f64).sum());
    assert!((heads - 5.0).abs() < 0.1, "{heads}");
}

#[test]
fn bytes_are_whole_draws() {
    let mut filled = [0; 11];
    let mut ours = stream(9);
    rand::Rng::fill_bytes(&mut ours, &mut filled);
    let mut draws = stream(9);
    let bytes: Vec<u8> = [draws.next_u64(), draws.next_u64()].map(u64::to_le_bytes).concat();
    assert_eq!(filled, bytes[..11]);
    assert_eq!(ours, draws);
}

#[test]
fn streams_go_to_other_threads() {
    let mut here = stream(10);
    let mut there = here.clone();
    let value = std::thread::spawn(move || there.random()).join().unwrap();
    assert_eq!(value, here.random());
}

/// The message of a panic.
fn panic_of<T>(draw: impl FnOnce(&mut Stream) -> T + UnwindSafe) -> String {
    let panic = catch_unwind(|| drop(draw(&mut stream(11)))).unwrap_err();
    panic.downcast_ref::<String>().cloned().expect("a message with the values")
}

#[test]
fn impossible_parameters_are_refused_by_name() {
    let message = panic_of(|stream| stream.integers(3, 3));
    assert_eq!(message, "integers needs low < high, not 3 and 3");
    let message = panic_of(|stream| stream.integers_u64(4, 3));
    assert_eq!(message, "integers_u64 needs low < high, not 4 and 3");
    let message = panic_of(|stream| stream.integers_inclusive(4, 3));
    assert_eq!(message, "integers_inclusive needs low <= high, not 4 and 3");
    let message = panic_of(|stream| stream.normal(0.0, -1.0));
    assert_eq!(message, "normal needs a standard deviation of 0 or more, not -1");
    let message = panic_of(|stream| stream.exponential(f64::NAN));
    assert_eq!(message, "exponential needs a scale of 0 or more, not NaN");
    for (low, high) in [(2.0, 1.0), (f64::MIN, f64::MAX), (f64::NAN, 1.0)] {
        let message = panic_of(move |stream| stream.uniform(low, high));
        assert!(message.starts_with("uniform needs finite low <= high"), "{message}");
    }
}
