//! Which lane a statement goes by.
//!
//! Pure: what is under way on each lane, and since when, decides.

use std::time::{Duration, Instant};

use super::Sending;

/// Statements that share a lane while there are others with room. A statement waits for those that were sent before it, and
/// shares the fate of its connection; more than this saves little more.
const COMPANY: usize = 4;
/// Statements under way on one lane when all are that full. To wait for a place and then for the answer costs a request twice
/// what it costs to wait for both at once.
pub(super) const DEPTH: usize = 8;

/// A lane whose first statement takes longer may be waiting for a lock: nobody else is put behind it.
const BRISK: Duration = Duration::from_millis(5);

/// What is under way on one lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) statements: usize,
    /// Those of them that change something.
    pub(super) changes: usize,
    /// Since when the first of them is the first; of an idle lane, since when it is idle.
    pub(super) since: Instant,
}

impl Load {
    fn has_room(&self, now: Instant) -> bool {
        self.statements == 0 || self.statements < DEPTH && now.saturating_duration_since(self.since) < BRISK
    }
}

/// One lane of five, and none when there is but one.
fn closed_to_changes(lanes: usize) -> usize {
    if lanes > 1 { lanes.div_ceil(5) } else { 0 }
}

/// The busiest lane that is not in company enough: statements that go out together, and whose answers come together, cost fewer
/// wake-ups and system calls than as many on connections of their own. When all are, the one with the shortest queue. What
/// changes nothing goes by lanes without a change first, and begins at the other end.
pub(super) fn choose(lanes: &[Load], sending: Sending, now: Instant) -> Option<usize> {
    let open = match sending {
        Sending::Once => lanes.len() - closed_to_changes(lanes.len()),
        Sending::Repeatable => lanes.len(),
    };
    let with_room = lanes[..open].iter().enumerate().filter(|(_, lane)| lane.has_room(now));
    with_room
        .max_by_key(|(index, lane)| {
            let preference = match lane.statements {
                few @ ..COMPANY => (true, few),
                many => (false, DEPTH - many),
            };
            match sending {
                Sending::Once => (true, preference, open - index),
                Sending::Repeatable => (lane.changes == 0, preference, *index),
            }
        })
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Sending::{Once, Repeatable};

    /// Lanes as (statements, changes among them, age of the first in milliseconds).
    fn chosen(lanes: &[(usize, usize, u64)], sending: Sending) -> Option<usize> {
        let now = Instant::now() + Duration::from_mins(1);
        let loads: Vec<Load> = lanes
            .iter()
            .map(|(statements, changes, age)| Load {
                statements: *statements,
                changes: *changes,
                since: now.checked_sub(Duration::from_millis(*age)).unwrap(),
            })
            .collect();
        choose(&loads, sending, now)
    }

    #[test]
    fn changes_are_packed_where_they_do_not_wait_for_long_and_leave_the_last_lane_alone() {
        const REST: (usize, usize, u64) = (0, 0, 0);
        for (lanes, expected) in [
            (&[(0, 0, 0), (0, 0, 0), REST][..], Some(0)),
            (&[(1, 0, 0), (0, 0, 0), REST], Some(0)),
            (&[(1, 0, 0), (3, 3, 1), (2, 2, 0), REST], Some(1)),
            (&[(4, 4, 0), (0, 0, 9000), REST], Some(1)),
            (&[(6, 6, 0), (4, 4, 0), (5, 5, 0), REST], Some(1)),
            (&[(4, 4, 0), (4, 4, 0), REST], Some(0)),
            (&[(1, 1, 5), (0, 0, 0), REST], Some(1)),
            (&[(1, 1, 5), (1, 1, 4), REST], Some(1)),
            (&[(1, 1, 5), (8, 8, 0), REST], None),
            (&[(8, 8, 0), (8, 8, 0), REST], None),
            (&[(0, 0, 0)], Some(0)),
            (&[], None),
        ] {
            assert_eq!(chosen(lanes, Once), expected, "{lanes:?}");
        }
    }

    #[test]
    fn what_changes_nothing_goes_where_no_change_is_from_the_other_end() {
        for (lanes, expected) in [
            (&[(0, 0, 0), (0, 0, 0), (0, 0, 0)][..], Some(2)),
            (&[(0, 0, 0), (1, 0, 0), (0, 0, 0)], Some(1)),
            (&[(3, 1, 0), (0, 0, 0), (7, 0, 0)], Some(1)),
            (&[(3, 1, 0), (2, 1, 0), (7, 0, 0)], Some(2)),
            // A lane with a change is better than none.
            (&[(3, 1, 0), (2, 1, 0), (8, 0, 0)], Some(0)),
            (&[(3, 1, 9), (2, 1, 0), (1, 0, 9)], Some(1)),
            (&[(1, 1, 0)], Some(0)),
            (&[(3, 1, 9), (2, 1, 9), (8, 0, 0)], None),
        ] {
            assert_eq!(chosen(lanes, Repeatable), expected, "{lanes:?}");
        }
    }

    #[test]
    fn one_lane_of_five_is_closed_to_changes_and_never_all() {
        let closed = [0, 1, 2, 4, 5, 6, 10, 11].map(closed_to_changes);
        assert_eq!(closed, [0, 0, 1, 1, 1, 2, 2, 3]);
    }

    fn some_lanes() -> impl Strategy<Value = Vec<(usize, usize, u64)>> {
        let lane = (0..=DEPTH, 0..=DEPTH, 0..20_u64);
        let lane = lane.prop_map(|(statements, changes, age)| (statements, changes.min(statements), age));
        prop::collection::vec(lane, 0..8)
    }

    proptest! {
        #[test]
        fn nobody_is_put_behind_a_slow_statement_or_beyond_the_depth(lanes in some_lanes(), is_change: bool) {
            let sending = if is_change { Once } else { Repeatable };
            let count = if is_change { lanes.len() - closed_to_changes(lanes.len()) } else { lanes.len() };
            let open: Vec<(usize, usize, u64)> = lanes[..count]
                .iter()
                .copied()
                .filter(|(statements, _, age)| *statements == 0 || *statements < DEPTH && *age < 5)
                .collect();
            let Some(lane) = chosen(&lanes, sending) else {
                prop_assert!(open.is_empty());
                return Ok(());
            };
            let (chosen, changes, _) = lanes[lane];
            prop_assert!(lane < count && open.contains(&lanes[lane]));
            let is_alike = |other: usize| is_change || (other == 0) == (changes == 0);
            let is_better = |other: usize| {
                if chosen < COMPANY { (chosen + 1..COMPANY).contains(&other) } else { other < chosen }
            };
            prop_assert!(!open.iter().any(|other| is_alike(other.1) && is_better(other.0)));
            let is_beside_a_change = !is_change && changes > 0;
            prop_assert!(!is_beside_a_change || open.iter().all(|other| other.1 > 0));
        }
    }
}
