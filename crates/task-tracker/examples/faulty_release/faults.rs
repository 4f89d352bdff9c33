//! Which requests a bad release breaks: a share of them, in percent.
//!
//! The service's own tests have this file too: cargo leaves an example that is tested by itself out of what
//! `cargo test` builds, and the tests that deploy it would find an old one.

use std::sync::atomic::{AtomicU64, Ordering};

/// See the module.
pub(crate) struct Faults {
    percent: u64,
    requests: AtomicU64,
}

impl Faults {
    pub(crate) fn of(percent: u64) -> Self {
        Self {
            percent,
            requests: AtomicU64::new(0),
        }
    }

    /// Spreads the faults evenly, so that even a short look sees the share.
    pub(crate) fn is_next(&self) -> bool {
        let request = self.requests.fetch_add(1, Ordering::Relaxed) % 100;
        (request + 1) * self.percent / 100 > request * self.percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_exact_in_a_hundred_and_even_within() {
        for percent in [0, 1, 20, 33, 50, 100] {
            let faults = Faults::of(percent);
            let run: Vec<bool> = (0..200).map(|_| faults.is_next()).collect();
            let of = |slice: &[bool]| slice.iter().filter(|fault| **fault).count() as u64;
            assert_eq!((of(&run[..100]), of(&run[100..])), (percent, percent));
            assert!(
                of(&run[..50]).abs_diff(percent / 2) <= 1,
                "{percent} % in the first fifty"
            );
        }
    }
}
