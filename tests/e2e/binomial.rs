//! Whether a count can be what a weight makes of so many requests.

/// Less likely than this is no accident: about once in a million runs.
const NO_ACCIDENT: f64 = 1e-6;

/// The probability of `k` successes or a count yet farther out on the same side, times two: the
/// exact two-sided tail.
fn tail(n: u64, k: u64, p: f64) -> f64 {
    let (mut below, mut above) = (0.0, 0.0);
    let mut ln_choose = 0.0_f64;
    for i in 0..=n {
        if i > 0 {
            ln_choose += (float(n - i + 1) / float(i)).ln();
        }
        let mass = float(n - i).mul_add((1.0 - p).ln(), float(i).mul_add(p.ln(), ln_choose)).exp();
        if i <= k {
            below += mass;
        }
        if i >= k {
            above += mass;
        }
    }
    (2.0 * f64::min(below, above)).min(1.0)
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("a small count"))
}

/// Fails unless `k` of `n` requests is what a weight of `p` may make.
#[track_caller]
pub(crate) fn assert_split(n: u64, k: u64, p: f64) {
    let tail = tail(n, k, p);
    assert!(tail > NO_ACCIDENT, "{k} of {n} requests at {p}: probability {tail:e}");
}

#[test]
fn the_tail_is_exact() {
    // All heads of ten: 2 / 1024.
    assert!((tail(10, 10, 0.5) - 2.0 / 1024.0).abs() < 1e-12);
    assert!((tail(10, 5, 0.5) - 1.0).abs() < 1e-12);
    // 0.9^100, twice.
    assert!((tail(100, 0, 0.1) - 2.0 * 0.9_f64.powi(100)).abs() < 1e-12);
}

#[test]
#[should_panic(expected = "probability")]
fn a_split_that_is_none_is_noticed() {
    assert_split(600, 0, 0.1);
}
