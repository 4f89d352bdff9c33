//! A percentage of traffic as the weights of two target groups.

/// Weights of the target's and the other group. Elastic Load Balancing takes whole weights from 0 to 999, so whole
/// percentages stay as they are and tenths are scaled up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the percentage is clamped to 0–100 before"
)]
pub(crate) fn weights(percent: f64) -> (u32, u32) {
    let percent = percent.clamp(0.0, 100.0);
    let tenths = (percent * 10.0).round() as u32;
    if tenths.is_multiple_of(10) {
        (tenths / 10, 100 - tenths / 10)
    } else {
        (tenths, 1000 - tenths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_stay_in_range_and_keep_the_percentage() {
        assert_eq!(weights(0.0), (0, 100));
        assert_eq!(weights(10.0), (10, 90));
        assert_eq!(weights(100.0), (100, 0));
        assert_eq!(weights(0.1), (1, 999));
        assert_eq!(weights(99.9), (999, 1));
        assert_eq!(weights(33.3), (333, 667));
    }
}
