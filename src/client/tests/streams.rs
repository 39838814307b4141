//! Which stream an element of a map has.

use super::local::run_on;
use crate::Error;
use crate::random::{Key, Stream};
use std::collections::HashSet;

/// What element `key` of a study with seed 11 draws.
fn drawn(key: &[u32]) -> f64 {
    Stream::new(&11u64.into(), key).random()
}

#[test]
fn more_replicates_go_on_where_the_first_ended() {
    run_on(2, 1, |client| {
        let draw = |_: u64, mut rng: Stream| rng.random();
        let key = Key::new([7])?;
        let all: Vec<f64> = (0..300).map(|i| drawn(&[7, i])).collect();
        assert_eq!(client.map_random(draw, 0..100u64).key(&key).compute()?, all[..100]);
        let more = client.map_random(draw, 100..300u64).key(&key).persist()?;
        assert_eq!(more.compute()?, all[100..]);
        // Wherever the elements lie, and whatever was done to them before, they keep their numbers.
        let twice = |x: f64, mut rng: Stream| (x, rng.random());
        let noise = client.map_random(twice, &more).key(&Key::new([8])?).compute()?;
        assert_eq!(noise[5], (all[105], drawn(&[8, 105])));
        let odd = client.map(|i| i, 100..300u64).filter(|i| i % 2 == 1);
        assert_eq!(client.map_random(draw, odd).key(&Key::new([9])?).compute()?[3], drawn(&[9, 107]));
        // A prefix of a range is that of its elements.
        assert_eq!(more.head(2).compute()?, all[100..102]);
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn ranges_overlap_by_their_integers() {
    run_on(1, 1, |client| {
        let draw = |_: u64, mut rng: Stream| rng.random();
        let key = Key::new([1])?;
        client.map_random(draw, 100..110u64).key(&key).compute()?;
        client.map_random(draw, 0..100u64).key(&key).compute()?;
        let again = client.map_random(draw, 109..200u64).key(&key).compute();
        assert!(again.expect_err("109 was drawn").to_string().contains("(1, 109)"));
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn integers_that_are_no_words_need_a_key_of_their_own() {
    run_on(1, 1, |client| {
        let key = Key::new([1])?;
        let draw = |_: i64, mut rng: Stream| rng.random();
        let negative = client.map_random(draw, -5..5i64).key(&key).compute();
        assert!(matches!(&negative, Err(Error::Usage(text)) if text.contains("key_with")), "{negative:?}");
        let large = client.map_random(draw, (1 << 32) - 1..(1 << 32) + 1i64).key(&key).compute();
        assert!(matches!(large, Err(Error::Key(_))), "{large:?}");
        let reserved = client.map_random(draw, (1 << 32) - 2..1 << 32).key(&Key::default()).compute();
        assert!(matches!(reserved, Err(Error::Key(_))), "{reserved:?}");
        let made = client.map_random(draw, -5..5i64).key_with(|i| vec![2, (i as i64 + 5) as u32]);
        assert_eq!(made.compute()?[1], drawn(&[2, 1]));
        // Default keys have room for all.
        let default = client.map_random(draw, -2..2i64).compute()?;
        let words = |i: i64| [u32::MAX, 4, i as u32, (i >> 32) as u32];
        assert_eq!(default, [-2, -1, 0, 1].map(|i| drawn(&words(i))));
        let unsigned = client.map_random(|_: u64, mut rng: Stream| rng.random(), u64::MAX - 2..u64::MAX);
        assert_eq!(unsigned.compute()?[0], drawn(&[u32::MAX, 5, u32::MAX - 2, u32::MAX]));
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn values_made_of_one_element_draw_different_numbers() {
    let draw = |_: u64, mut rng: Stream| rng.random();
    let study = |ranks, threads, batch: Option<u64>| {
        run_on(ranks, threads, move |client| {
            let some = client.flat_map(|i| 0..i % 5, 1000..1400u64);
            let some = if let Some(batch) = batch { some.batch(batch) } else { some };
            let key = Key::new([4])?;
            let of_some = client.map_random(draw, some.filter(|k| *k != 1)).key(&key);
            let more = client.flat_map(|i| 0..i, &some);
            let of_more = client.map_random(draw, more);
            let more = client.flat_map(|i| 0..i, some.persist()?);
            let of_more_again = client.map_random(draw, more).key_with(|i| vec![5, i as u32]);
            client.compute((&of_some.collect(), &of_more.collect(), &of_more_again.collect()))
        })
        .expect("it runs")
    };
    let alone = study(1, 0, None);
    // 1003 % 5 = 3: its second value is left out.
    let place = (0..3).map(|i| (i % 5u64).saturating_sub(u64::from(i % 5 > 1))).sum::<u64>() as usize;
    assert_eq!(alone.0[place + 1], drawn(&[4, 1003, 2]));
    assert_eq!(alone.2[alone.2.len() - 1], drawn(&[5, 1399, 3, 2]));
    for draws in [&alone.0, &alone.1, &alone.2] {
        let different: HashSet<u64> = draws.iter().map(|x| x.to_bits()).collect();
        assert!(draws.len() > 300);
        assert_eq!(different.len(), draws.len(), "some drew the same");
    }
    for (ranks, threads, batch) in [(1, 2, Some(1)), (3, 1, None), (2, 2, Some(7))] {
        assert_eq!(study(ranks, threads, batch), alone);
    }
}

#[test]
fn keys_below_those_of_elements_are_taken_with_them() {
    run_on(1, 1, |client| {
        let draw = |_: u64, mut rng: Stream| rng.random();
        let several = client.flat_map(|i| 0..i, 0..10u64);
        client.map_random(draw, &several).key(&Key::new([1])?).compute()?;
        let below = client.map_random(draw, 0..3u64).key(&Key::new([1, 4])?).compute();
        assert!(matches!(below, Err(Error::Key(_))), "{below:?}");
        client.map_random(draw, 0..3u64).key(&Key::new([1, 10])?).compute()?;
        client.map_random(draw, 0..3u64).key(&Key::new([2, 4])?).compute()?;
        let above = client.map_random(draw, &several).key(&Key::new([2])?).compute();
        assert!(matches!(above, Err(Error::Key(_))), "{above:?}");
        Ok(())
    })
    .expect("it runs");
}
