//! Who may send a statement on which lane, and who waits for that.
//!
//! Never talks to PostgreSQL. Whoever asked first is first among those who ask for the same; a place is given back by dropping
//! it. Changes may wait for rows that somebody holds locked, and then their lanes are of no use to anybody: some lanes are for
//! statements that wait for nobody, and those go where no change is as long as they can.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Sending,
    choice::{Load, choose},
};

/// All lanes of a process.
pub(super) struct Board(Mutex<State>);

struct State {
    lanes: Vec<Load>,
    /// Those who ask for the same; others have a line of their own, for what they wait for is another thing.
    changes: VecDeque<Waiting>,
    looks: VecDeque<Waiting>,
    /// Of whoever has to wait next.
    turn: u64,
    is_closed: bool,
}

struct Waiting {
    turn: u64,
    give: oneshot::Sender<Place>,
}

/// The right to have one statement under way on a lane.
pub(super) struct Place {
    board: Arc<Board>,
    lane: usize,
    sending: Sending,
}

impl State {
    fn line(&mut self, sending: Sending) -> &mut VecDeque<Waiting> {
        match sending {
            Sending::Once => &mut self.changes,
            Sending::Repeatable => &mut self.looks,
        }
    }

    /// What is to be sent next, and by which lane: it is for who has waited for longest of those for whom there is one now. Those who
    /// went away are passed over.
    fn next(&mut self, now: Instant) -> Option<(Sending, usize)> {
        let mut first: Option<(u64, Sending, usize)> = None;
        for sending in [Sending::Once, Sending::Repeatable] {
            let line = self.line(sending);
            while line.pop_front_if(|waiting| waiting.give.is_closed()).is_some() {}
            let Some(turn) = line.front().map(|waiting| waiting.turn) else {
                continue;
            };
            if first.is_none_or(|(earlier, ..)| turn < earlier)
                && let Some(lane) = choose(&self.lanes, sending, now)
            {
                first = Some((turn, sending, lane));
            }
        }
        first.map(|(_, sending, lane)| (sending, lane))
    }
}

impl Board {
    pub(super) fn of(lanes: usize) -> Arc<Self> {
        let idle = Load {
            statements: 0,
            changes: 0,
            since: Instant::now(),
        };
        Arc::new(Self(Mutex::new(State {
            lanes: vec![idle; lanes],
            changes: VecDeque::new(),
            looks: VecDeque::new(),
            turn: 0,
            is_closed: false,
        })))
    }

    /// None once it is closed.
    pub(super) async fn place(self: &Arc<Self>, sending: Sending) -> Option<Place> {
        let given = {
            let mut state = self.lock();
            if state.is_closed {
                return None;
            }
            let now = Instant::now();
            if state.line(sending).is_empty()
                && let Some(lane) = choose(&state.lanes, sending, now)
            {
                return Some(self.take(&mut state, sending, lane, now));
            }
            let (give, given) = oneshot::channel();
            let turn = state.turn;
            state.turn += 1;
            state.line(sending).push_back(Waiting { turn, give });
            given
        };
        given.await.ok()
    }

    /// Whoever waits is told that there is nothing to wait for.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.changes.clear();
        state.looks.clear();
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

    fn take(self: &Arc<Self>, state: &mut State, sending: Sending, lane: usize, now: Instant) -> Place {
        let load = &mut state.lanes[lane];
        if load.statements == 0 {
            load.since = now;
        }
        load.statements += 1;
        load.changes += usize::from(sending == Sending::Once);
        Place {
            board: Arc::clone(self),
            lane,
            sending,
        }
    }

    fn give_back(self: &Arc<Self>, lane: usize, sending: Sending) {
        let mut given = Vec::new();
        {
            let mut state = self.lock();
            let now = Instant::now();
            let load = &mut state.lanes[lane];
            load.statements -= 1;
            load.changes -= usize::from(sending == Sending::Once);
            load.since = now;
            while let Some((sending, lane)) = state.next(now) {
                let waiting = state.line(sending).pop_front();
                given.extend(waiting.map(|waiting| (waiting, self.take(&mut state, sending, lane, now))));
            }
        }
        // Without the lock: what could not be handed over gives its place back right here.
        for (waiting, place) in given {
            drop(waiting.give.send(place));
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
        self.board.give_back(self.lane, self.sending);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    use crate::database::lanes::choice::DEPTH;
    use Sending::{Once, Repeatable};

    proptest! {
        /// However places are taken, waited for, given back and left: none is lost, none is there twice, and no change is on
        /// the last lane.
        #[test]
        fn every_place_comes_back(steps in prop::collection::vec((0..4_u8, any::<prop::sample::Index>()), 1..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let board = Board::of(2);
                let (mut held, mut waiting) = (Vec::new(), Vec::new());
                for (step, which) in steps {
                    match step {
                        0 | 1 => {
                            let sending = if step == 0 { Once } else { Repeatable };
                            let mut place = Box::pin({ let board = Arc::clone(&board); async move { board.place(sending).await } });
                            match futures_util::poll!(place.as_mut()) {
                                std::task::Poll::Ready(place) => held.extend(place),
                                std::task::Poll::Pending => waiting.push(place),
                            }
                        }
                        2 if !held.is_empty() => drop(held.swap_remove(which.index(held.len()))),
                        _ if !waiting.is_empty() => drop(waiting.swap_remove(which.index(waiting.len()))),
                        _ => {}
                    }
                    let state = board.lock();
                    prop_assert!(state.lanes.iter().all(|lane| lane.statements <= DEPTH && lane.changes <= lane.statements));
                    prop_assert_eq!(state.lanes[1].changes, 0);
                }
                held.clear();
                while let Some(place) = waiting.pop() {
                    // Whoever is first has a place by now; the last come last.
                    waiting.insert(0, place);
                    let first = waiting.remove(0);
                    drop(first);
                }
                prop_assert_eq!(board.under_way(), 0);
                prop_assert!(board.lock().lanes.iter().all(|lane| lane.changes == 0));
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_next_in_turn_and_nobody_waits_for_what_is_closed() {
        let board = Board::of(1);
        let mut held = Vec::new();
        for _ in 0..DEPTH {
            held.push(board.place(Once).await.unwrap());
        }
        let mut first = Box::pin(board.place(Once));
        let mut second = Box::pin(board.place(Repeatable));
        let mut third = Box::pin(board.place(Once));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert!(futures_util::poll!(third.as_mut()).is_pending());
        held.pop();
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        held.push(first.await.unwrap());
        held.pop();
        assert!(futures_util::poll!(third.as_mut()).is_pending());
        held.push(second.await.unwrap());
        held.pop();
        board.close();
        assert!(board.place(Once).await.is_none());
    }

    #[tokio::test]
    async fn changes_that_wait_hold_up_changes_only() {
        let board = Board::of(2);
        let mut changes = Vec::new();
        for _ in 0..DEPTH {
            changes.push(board.place(Once).await.unwrap());
        }
        let mut change = Box::pin(board.place(Once));
        assert!(futures_util::poll!(change.as_mut()).is_pending());
        for _ in 0..DEPTH {
            let look = board.place(Repeatable).await.unwrap();
            assert_eq!(look.lane(), 1);
            changes.push(look);
        }
        let mut look = Box::pin(board.place(Repeatable));
        assert!(futures_util::poll!(look.as_mut()).is_pending());
        // The last of those without a change: its place is not for the one who has waited for longer.
        changes.pop();
        assert!(look.await.is_some());
        assert!(futures_util::poll!(change.as_mut()).is_pending());
    }
}
