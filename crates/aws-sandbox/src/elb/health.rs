//! The health of one target as a state machine: which check results lead from where to where. Pure; `checks` feeds it.
//!
//! A new target needs one success to become healthy ("After your target is registered, it must pass one health check to be
//! considered healthy", Elastic Load Balancing, "Health checks for your target groups"); from then on the thresholds count.

use std::num::NonZeroU32;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    Passed,
    Failed(Failure),
}

/// Why a check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An answer outside the matcher.
    Mismatch(u16),
    /// No answer in time.
    Timeout,
    /// Refused or broken connection.
    NoConnection,
}

/// Where a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Initial,
    Healthy,
    Unhealthy(Failure),
}

/// A target's condition and the run of equal results that may change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    condition: Condition,
    run: u32,
}

/// How many equal results in a row change the condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) healthy: NonZeroU32,
    pub(crate) unhealthy: NonZeroU32,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self {
            condition: Condition::Initial,
            run: 0,
        }
    }

    pub(crate) fn condition(&self) -> Condition {
        self.condition
    }

    /// Takes in one result.
    pub(crate) fn observe(&mut self, finding: &Finding, thresholds: Thresholds) {
        let (next, needed) = match (self.condition, finding) {
            (Condition::Initial, Finding::Passed) => (Condition::Healthy, 1),
            (Condition::Unhealthy(_), Finding::Passed) => (Condition::Healthy, thresholds.healthy.get()),
            (Condition::Initial | Condition::Healthy, Finding::Failed(failure)) => {
                (Condition::Unhealthy(*failure), thresholds.unhealthy.get())
            }
            // Nothing to leave: only the reason may be newer.
            (Condition::Healthy, Finding::Passed) => return self.settle(Condition::Healthy),
            (Condition::Unhealthy(_), Finding::Failed(failure)) => return self.settle(Condition::Unhealthy(*failure)),
        };
        self.run += 1;
        if self.run >= needed {
            self.settle(next);
        }
    }

    fn settle(&mut self, condition: Condition) {
        *self = Self { condition, run: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+` a passed check, `-` a failed one; the answer is one letter per check.
    fn conditions(checks: &str) -> String {
        let thresholds = Thresholds {
            healthy: NonZeroU32::new(3).unwrap(),
            unhealthy: NonZeroU32::new(2).unwrap(),
        };
        let mut health = Health::new();
        checks
            .chars()
            .map(|check| {
                let finding = if check == '+' {
                    Finding::Passed
                } else {
                    Finding::Failed(Failure::Mismatch(503))
                };
                health.observe(&finding, thresholds);
                match health.condition() {
                    Condition::Initial => 'i',
                    Condition::Healthy => 'h',
                    Condition::Unhealthy(_) => 'u',
                }
            })
            .collect()
    }

    #[test]
    fn the_table_with_three_to_get_healthy_and_two_to_get_unhealthy() {
        let table = [
            ("+", "h"),
            ("-", "i"),
            ("--", "iu"),
            ("-+", "ih"),
            ("+-+-+", "hhhhh"),
            ("+--", "hhu"),
            ("--++", "iuuu"),
            ("--+++", "iuuuh"),
            ("--++-+++", "iuuuuuuh"),
            ("+--+++--", "hhuuuhhu"),
        ];
        for (checks, expected) in table {
            assert_eq!(conditions(checks), expected, "{checks}");
        }
    }

    #[test]
    fn an_unhealthy_target_tells_the_latest_reason() {
        let one = NonZeroU32::MIN;
        let thresholds = Thresholds {
            healthy: one,
            unhealthy: one,
        };
        let mut health = Health::new();
        health.observe(&Finding::Failed(Failure::NoConnection), thresholds);
        health.observe(&Finding::Failed(Failure::Mismatch(500)), thresholds);
        assert_eq!(health.condition(), Condition::Unhealthy(Failure::Mismatch(500)));
    }
}
