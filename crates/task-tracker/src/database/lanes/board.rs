//! Who may send a statement on which lane, and who waits for that.
//!
//! Never talks to PostgreSQL. Whoever asked first is first; a place is given back by dropping it.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

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
struct Load {
    statements: usize,
    /// Since when the first of them is the first; of an idle lane, since when it is idle.
    since: Instant,
}

impl Load {
    fn has_room(&self, now: Instant) -> bool {
        self.statements == 0 || self.statements < DEPTH && now.saturating_duration_since(self.since) < BRISK
    }
}

/// The busiest lane that is not in company enough: statements that go out together, and whose answers come together, cost fewer
/// wake-ups and system calls than as many on connections of their own. When all are, the one with the shortest queue.
fn choose(lanes: &[Load], now: Instant) -> Option<usize> {
    let with_room = lanes.iter().enumerate().filter(|(_, lane)| lane.has_room(now));
    with_room
        .max_by_key(|(index, lane)| {
            let preference = match lane.statements {
                few @ ..COMPANY => (true, few),
                many => (false, DEPTH - many),
            };
            (preference, Reverse(*index))
        })
        .map(|(index, _)| index)
}

/// All lanes of a process.
pub(super) struct Board(Mutex<State>);

struct State {
    lanes: Vec<Load>,
    waiting: VecDeque<oneshot::Sender<Place>>,
    is_closed: bool,
}

/// The right to have one statement under way on a lane.
pub(super) struct Place {
    board: Arc<Board>,
    lane: usize,
}

impl Board {
    pub(super) fn of(lanes: usize) -> Arc<Self> {
        let idle = Load {
            statements: 0,
            since: Instant::now(),
        };
        Arc::new(Self(Mutex::new(State {
            lanes: vec![idle; lanes],
            waiting: VecDeque::new(),
            is_closed: false,
        })))
    }

    /// None once it is closed.
    pub(super) async fn place(self: &Arc<Self>) -> Option<Place> {
        let turn = {
            let mut state = self.lock();
            if state.is_closed {
                return None;
            }
            if state.waiting.is_empty()
                && let Some(place) = self.take(&mut state, Instant::now())
            {
                return Some(place);
            }
            let (give, turn) = oneshot::channel();
            state.waiting.push_back(give);
            turn
        };
        turn.await.ok()
    }

    /// Whoever waits is told that there is nothing to wait for.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.waiting.clear();
    }

    /// How long this lane has had nothing to do; None when it has.
    pub(super) fn idle(&self, lane: usize) -> Option<Duration> {
        let load = self.lock().lanes[lane];
        (load.statements == 0).then(|| load.since.elapsed())
    }

    /// Statements that are under way, on all lanes.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.lock().lanes.iter().map(|lane| lane.statements).sum()
    }

    fn take(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Place> {
        let lane = choose(&state.lanes, now)?;
        let load = &mut state.lanes[lane];
        if load.statements == 0 {
            load.since = now;
        }
        load.statements += 1;
        Some(Place {
            board: Arc::clone(self),
            lane,
        })
    }

    fn give_back(self: &Arc<Self>, lane: usize) {
        let mut given = Vec::new();
        {
            let mut state = self.lock();
            let now = Instant::now();
            let load = &mut state.lanes[lane];
            load.statements -= 1;
            load.since = now;
            // Those who went away meanwhile are passed over.
            while let Some(next) = state.waiting.pop_front() {
                if next.is_closed() {
                    continue;
                }
                let Some(place) = self.take(&mut state, now) else {
                    state.waiting.push_front(next);
                    break;
                };
                given.push((next, place));
            }
        }
        // Without the lock: what could not be handed over gives its place back right here.
        for (next, place) in given {
            drop(next.send(place));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(super) fn lane(&self) -> usize {
        self.lane
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.board.give_back(self.lane);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lanes as (statements, age of the first in milliseconds).
    fn chosen(lanes: &[(usize, u64)]) -> Option<usize> {
        let now = Instant::now() + Duration::from_mins(1);
        let loads: Vec<Load> = lanes
            .iter()
            .map(|(statements, age)| Load {
                statements: *statements,
                since: now.checked_sub(Duration::from_millis(*age)).unwrap(),
            })
            .collect();
        choose(&loads, now)
    }

    #[test]
    fn statements_are_packed_where_they_do_not_wait_for_long() {
        for (lanes, expected) in [
            (&[(0, 0), (0, 0)][..], Some(0)),
            (&[(1, 0), (0, 0)], Some(0)),
            (&[(1, 0), (3, 1), (2, 0)], Some(1)),
            (&[(4, 0), (0, 9000)], Some(1)),
            (&[(6, 0), (4, 0), (5, 0)], Some(1)),
            (&[(4, 0), (4, 0)], Some(0)),
            (&[(1, 5), (0, 0)], Some(1)),
            (&[(1, 5), (1, 4)], Some(1)),
            (&[(1, 5), (8, 0)], None),
            (&[(8, 0), (8, 0)], None),
            (&[], None),
        ] {
            assert_eq!(chosen(lanes), expected, "{lanes:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_put_behind_a_slow_statement_or_beyond_the_depth(
            lanes in prop::collection::vec((0..=DEPTH, 0..20_u64), 0..8)
        ) {
            let open = |&(statements, age): &(usize, u64)| statements == 0 || statements < DEPTH && age < 5;
            match chosen(&lanes) {
                Some(lane) => {
                    prop_assert!(open(&lanes[lane]));
                    let chosen = lanes[lane].0;
                    let is_better = |other: usize| {
                        if chosen < COMPANY { (chosen + 1..COMPANY).contains(&other) } else { other < chosen }
                    };
                    prop_assert!(!lanes.iter().filter(|lane| open(lane)).any(|lane| is_better(lane.0)));
                }
                None => prop_assert!(!lanes.iter().any(open)),
            }
        }

        /// However places are taken, waited for, given back and left: none is lost, none is there twice.
        #[test]
        fn every_place_comes_back(steps in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 1..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let board = Board::of(2);
                let (mut held, mut waiting) = (Vec::new(), Vec::new());
                for (step, which) in steps {
                    match step {
                        0 => {
                            let mut place = Box::pin({ let board = Arc::clone(&board); async move { board.place().await } });
                            match futures_util::poll!(place.as_mut()) {
                                std::task::Poll::Ready(place) => held.extend(place),
                                std::task::Poll::Pending => waiting.push(place),
                            }
                        }
                        1 if !held.is_empty() => drop(held.swap_remove(which.index(held.len()))),
                        _ if !waiting.is_empty() => drop(waiting.swap_remove(which.index(waiting.len()))),
                        _ => {}
                    }
                    prop_assert!(board.under_way() <= 2 * DEPTH);
                }
                held.clear();
                while let Some(place) = waiting.pop() {
                    // Whoever is first has a place by now; the last come last.
                    waiting.insert(0, place);
                    let first = waiting.remove(0);
                    drop(first);
                }
                prop_assert_eq!(board.under_way(), 0);
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_next_in_turn_and_nobody_waits_for_what_is_closed() {
        let board = Board::of(1);
        let mut held = Vec::new();
        for _ in 0..DEPTH {
            held.push(board.place().await.unwrap());
        }
        let mut first = Box::pin(board.place());
        let mut second = Box::pin(board.place());
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        held.pop();
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert!(first.await.is_some());
        held.pop();
        board.close();
        assert!(board.place().await.is_none());
    }
}
