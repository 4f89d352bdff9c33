//! Which jobs may run at once. Pure: time and connections are the caller's.
//!
//! Jobs stand in the order in which one connection would do them. One may begin before an earlier one has ended when the two have no table
//! in common, or do to it what PostgreSQL lets several do at once.

use std::collections::HashMap;

/// What a job does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Writes rows into it, as others may.
    Fill,
    /// Builds an index on it: several at once, but never while rows come.
    Build,
    /// Reads it when its rows are there.
    Read,
    /// Adds a foreign key from or to it, or gathers its statistics: one at a time, but it may be read.
    Link,
    /// Wants it alone.
    Alter,
}

impl Access {
    /// As PostgreSQL's own locks (PostgreSQL documentation, "Table-Level Locks"), except that reading waits for rows.
    fn goes_with(self, other: Self) -> bool {
        match self {
            Self::Fill => other == Self::Fill,
            Self::Build => matches!(other, Self::Build | Self::Read),
            Self::Read => matches!(other, Self::Build | Self::Read | Self::Link),
            Self::Link => other == Self::Read,
            Self::Alter => false,
        }
    }
}

/// What a job needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needs {
    /// These tables.
    Tables(Vec<(String, Access)>),
    /// That everything before it has ended and nothing after it has begun: nobody knows what it touches.
    Everything,
}

/// What a worker does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<J> {
    /// This; the number is for [`Order::ended`].
    Do(usize, J),
    /// Nothing before another job has ended.
    Wait,
    /// Nothing any more.
    Leave,
}

/// The jobs that are left, and what those need that are being done.
#[derive(Debug)]
pub(crate) struct Order<J> {
    pending: Vec<(Needs, J)>,
    running: HashMap<usize, Needs>,
    given: usize,
}

impl<J> Order<J> {
    pub(crate) fn new(jobs: Vec<(Needs, J)>) -> Self {
        Self {
            pending: jobs,
            running: HashMap::new(),
            given: 0,
        }
    }

    /// The first that need not wait for one before it.
    pub(crate) fn next(&mut self) -> Next<J> {
        if self.pending.is_empty() {
            return Next::Leave;
        }
        let Some(at) = self.free() else {
            return Next::Wait;
        };
        let (needs, job) = self.pending.remove(at);
        self.given += 1;
        self.running.insert(self.given, needs);
        Next::Do(self.given, job)
    }

    /// Makes room for what waited.
    pub(crate) fn ended(&mut self, number: usize) {
        self.running.remove(&number);
    }

    fn free(&self) -> Option<usize> {
        let mut before: HashMap<&str, Vec<Access>> = HashMap::new();
        let mut nobody = true;
        for needs in self.running.values() {
            match needs {
                Needs::Everything => return None,
                Needs::Tables(tables) => claim(&mut before, tables),
            }
            nobody = false;
        }
        for (at, (needs, _)) in self.pending.iter().enumerate() {
            match needs {
                Needs::Everything => return (nobody && at == 0).then_some(at),
                Needs::Tables(tables) => {
                    let free = |(table, access): &(String, Access)| {
                        let others = before.get(table.as_str());
                        others.is_none_or(|others| others.iter().all(|other| access.goes_with(*other)))
                    };
                    if tables.iter().all(free) {
                        return Some(at);
                    }
                    claim(&mut before, tables);
                }
            }
        }
        None
    }
}

fn claim<'n>(before: &mut HashMap<&'n str, Vec<Access>>, tables: &'n [(String, Access)]) {
    for (table, access) in tables {
        let others = before.entry(table).or_default();
        if !others.contains(access) {
            others.push(*access);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn on(table: &str, access: Access) -> Needs {
        Needs::Tables(vec![(table.to_owned(), access)])
    }

    /// What begins at once, and then after each end in the order of the beginnings.
    fn walk(jobs: Vec<Needs>) -> Vec<Vec<usize>> {
        let jobs = jobs.into_iter().enumerate().map(|(at, needs)| (needs, at)).collect();
        let mut order = Order::new(jobs);
        let (mut waves, mut running) = (Vec::new(), Vec::new());
        loop {
            let mut wave = Vec::new();
            while let Next::Do(number, job) = order.next() {
                running.push(number);
                wave.push(job);
            }
            waves.push(wave);
            if running.is_empty() {
                return waves;
            }
            order.ended(running.remove(0));
        }
    }

    #[test]
    fn a_table_is_indexed_while_another_is_filled() {
        let jobs = vec![
            on("a", Access::Fill),
            on("a", Access::Fill),
            on("b", Access::Alter),
            on("a", Access::Build),
            on("a", Access::Build),
            on("b", Access::Build),
            on("a", Access::Alter),
            on("b", Access::Read),
        ];
        assert_eq!(
            walk(jobs),
            [
                vec![0, 1, 2],
                vec![],
                vec![3, 4],
                vec![5, 7],
                vec![],
                vec![6],
                vec![],
                vec![],
                vec![]
            ]
        );
    }

    #[test]
    fn a_foreign_key_waits_for_both_of_its_tables_and_may_be_read_past() {
        let both = Needs::Tables(vec![("a".to_owned(), Access::Link), ("b".to_owned(), Access::Link)]);
        let jobs = vec![
            on("a", Access::Alter),
            on("b", Access::Build),
            both,
            on("b", Access::Read),
        ];
        assert_eq!(walk(jobs), [vec![0, 1, 3], vec![], vec![2], vec![], vec![]]);
    }

    #[test]
    fn what_may_touch_anything_stands_alone() {
        let jobs = vec![
            on("a", Access::Build),
            on("b", Access::Build),
            Needs::Everything,
            on("c", Access::Build),
        ];
        assert_eq!(walk(jobs), [vec![0, 1], vec![], vec![2], vec![3], vec![]]);
    }

    fn access() -> impl Strategy<Value = Access> {
        prop::sample::select(vec![
            Access::Fill,
            Access::Build,
            Access::Read,
            Access::Link,
            Access::Alter,
        ])
    }

    fn needs() -> impl Strategy<Value = Needs> {
        let tables = prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), access()), 1..3);
        prop_oneof![
            8 => tables.prop_map(|tables| Needs::Tables(
                tables.into_iter().map(|(table, access)| (table.to_owned(), access)).collect()
            )),
            1 => Just(Needs::Everything),
        ]
    }

    fn clash(one: &Needs, other: &Needs) -> bool {
        let (Needs::Tables(one), Needs::Tables(other)) = (one, other) else {
            return true;
        };
        one.iter()
            .any(|(table, access)| other.iter().any(|(also, how)| table == also && !access.goes_with(*how)))
    }

    proptest! {
        #[test]
        fn every_job_is_done_and_what_clashes_keeps_its_order(
            all in prop::collection::vec(needs(), 0..12),
            ends in prop::collection::vec(any::<prop::sample::Index>(), 12),
        ) {
            let jobs = all.iter().cloned().enumerate().map(|(at, needs)| (needs, at)).collect();
            let mut order = Order::new(jobs);
            let mut running: Vec<(usize, usize)> = Vec::new();
            let mut ended: Vec<usize> = Vec::new();
            for end in ends {
                while let Next::Do(number, job) = order.next() {
                    for (earlier, needs) in all.iter().enumerate().take(job) {
                        prop_assert!(!clash(needs, &all[job]) || ended.contains(&earlier), "{job} before {earlier}");
                    }
                    for (_, other) in &running {
                        prop_assert!(!clash(&all[*other], &all[job]), "{job} beside {other}");
                    }
                    running.push((number, job));
                }
                if !running.is_empty() {
                    let (number, job) = running.remove(end.index(running.len()));
                    order.ended(number);
                    ended.push(job);
                }
            }
            prop_assert_eq!(ended.len(), all.len());
            prop_assert_eq!(order.next(), Next::Leave);
        }
    }

    #[test]
    fn whatever_goes_with_another_does_so_both_ways() {
        let all = [Access::Fill, Access::Build, Access::Read, Access::Link, Access::Alter];
        for one in all {
            for other in all {
                assert_eq!(one.goes_with(other), other.goes_with(one), "{one:?} and {other:?}");
            }
        }
    }
}
