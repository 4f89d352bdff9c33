//! Whether the story went as it must, and the table that says so.

use std::fmt::Write;

use super::{
    figures::Figures,
    story::{BAD, CANARY, TAKEN_BACK},
};
use crate::load::{FailedRequest, Report};

/// What `tt-ops` documents for a release that failed and was taken back.
const ROLLED_BACK: i32 = 6;
const FEWEST_REQUESTS: u64 = 20_000;
const SLOWEST_ROLLBACK: f64 = 1.0;

/// Every figure, held against what it must be.
#[derive(Debug)]
pub(super) struct Verdict {
    rows: Vec<Row>,
    examples: Vec<FailedRequest>,
}

#[derive(Debug)]
struct Row {
    what: &'static str,
    figure: String,
    wanted: &'static str,
    judgement: Judgement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    /// As it must be.
    Good,
    /// Something failed or was lost.
    Bad,
    /// Slower than it should be, which may be the machine.
    Slow,
    /// Told for its own sake.
    Told,
}

pub(super) fn of(figures: &Figures, load: &Report) -> Verdict {
    let mut rows = what_users_saw(figures, load);
    rows.extend(what_operators_saw(figures, load));
    let others = load
        .failures
        .iter()
        .filter(|failure| failure.release.as_deref() != Some(BAD));
    Verdict {
        rows,
        examples: others.take(5).cloned().collect(),
    }
}

fn what_users_saw(figures: &Figures, load: &Report) -> Vec<Row> {
    vec![
        Row::count("requests", figures.requests, "at least 20,000", |count| {
            count >= FEWEST_REQUESTS
        }),
        Row::none("failed, the bad canary aside", figures.failed_outside_bad_canary),
        Row::none("not sent because the service stalled", load.missed),
        Row::count(
            "failed by the bad canary",
            figures.failed_during_bad_canary,
            "more than 0",
            |count| count > 0,
        ),
        Row::told("acknowledged writes", grouped(load.acknowledged_writes)),
        Row::none("  of these lost", figures.lost_writes),
        Row::none("  of these not to be read back", load.unverified_writes),
        Row::told("median answer", format!("{:.1} ms", load.latency.p50_ms)),
        Row::told("99 % answered within", format!("{:.1} ms", figures.p99_ms)),
    ]
}

fn what_operators_saw(figures: &Figures, load: &Report) -> Vec<Row> {
    let code = figures.bad_release_exit_code;
    let rollback = if figures.rollback_seconds <= SLOWEST_ROLLBACK {
        Judgement::Good
    } else {
        Judgement::Slow
    };
    vec![
        Row::told("canary deploy of 1.1.0", format!("{:.1} s", figures.deploy_seconds)),
        Row::told(
            "restore drill of the database",
            format!("{:.1} s", figures.drill_seconds),
        ),
        Row {
            what: "exit code of the bad release",
            figure: code.map_or_else(|| "none".to_owned(), |code| code.to_string()),
            wanted: "6",
            judgement: Judgement::of(code == Some(ROLLED_BACK)),
        },
        Row::told("requests that the bad release met", grouped(requests_of(load, BAD))),
        Row {
            what: "rollback, typed to last request",
            figure: format!("{:.3} s", figures.rollback_seconds),
            wanted: "at most 1 s",
            judgement: rollback,
        },
        Row::told("requests that 1.2.0 met before", grouped(requests_of(load, TAKEN_BACK))),
        Row {
            what: "release that users have in the end",
            figure: load.last_release().unwrap_or("none").to_owned(),
            wanted: CANARY,
            judgement: Judgement::of(load.last_release() == Some(CANARY)),
        },
    ]
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.judgement != Judgement::Bad)
    }

    pub(super) fn table(&self) -> String {
        let mut text = String::from("\nHow it went\n");
        for row in &self.rows {
            let _infallible = writeln!(text, "{}", row.line().trim_end());
        }
        for failure in &self.examples {
            let _infallible = writeln!(text, "  for example: {}", described(failure));
        }
        text.push_str(if self.is_good() {
            "\nNothing failed but what the bad canary answered, and nothing was lost."
        } else {
            "\nSomething failed or was lost: see the rows marked BAD."
        });
        text
    }
}

impl Judgement {
    fn of(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }
}

impl Row {
    fn told(what: &'static str, figure: String) -> Self {
        Self {
            what,
            figure,
            wanted: "",
            judgement: Judgement::Told,
        }
    }

    fn none(what: &'static str, count: u64) -> Self {
        Self::count(what, count, "0", |count| count == 0)
    }

    fn count(what: &'static str, count: u64, wanted: &'static str, good: impl FnOnce(u64) -> bool) -> Self {
        Self {
            what,
            figure: grouped(count),
            wanted,
            judgement: Judgement::of(good(count)),
        }
    }

    fn line(&self) -> String {
        let mark = match self.judgement {
            Judgement::Good => "ok",
            Judgement::Bad => "BAD",
            Judgement::Slow => "slow",
            Judgement::Told => "",
        };
        format!("  {:<37}{:>12}  {:<4}  {}", self.what, self.figure, mark, self.wanted)
    }
}

fn described(failure: &FailedRequest) -> String {
    let what = match (failure.status, &failure.error) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(error)) => error.clone(),
        (None, None) => "no answer".to_owned(),
    };
    format!(
        "{} {}: {what} (by {})",
        failure.method,
        failure.route,
        failure.release.as_deref().unwrap_or("nobody")
    )
}

fn requests_of(load: &Report, release: &str) -> u64 {
    load.by_release.get(release).map_or(0, |answered| answered.requests)
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

    use expect_test::expect;

    use super::*;
    use crate::{
        demo::story::Told,
        load::tests::{failure, report},
        machine::Machine,
    };

    fn machine() -> Machine {
        Machine {
            cores: 2,
            processor: "A 9".to_owned(),
            kernel: "6.1".to_owned(),
            memory_mb: 8_000,
        }
    }

    fn told(load: Report, exit_code: i32) -> Told {
        Told {
            deploy: Duration::from_millis(31_449),
            drill: Duration::from_millis(8_750),
            bad_exit: ExitStatus::from_raw(exit_code << 8),
            rollback_started_unix_ms: 80_000,
            load,
        }
    }

    fn verdict(load: Report, exit_code: i32) -> (Figures, Verdict) {
        let told = told(load, exit_code);
        let figures = Figures::of(&told, machine()).unwrap();
        let verdict = of(&figures, &told.load);
        (figures, verdict)
    }

    #[test]
    fn the_report_has_the_names_that_scripts_read() {
        let (figures, _) = verdict(report(), 6);
        expect![[r#"
            {
              "requests": 30000,
              "failed_outside_bad_canary": 0,
              "failed_during_bad_canary": 3,
              "lost_writes": 0,
              "p99_ms": 8.5,
              "deploy_seconds": 31.4,
              "drill_seconds": 8.8,
              "bad_release_exit_code": 6,
              "rollback_seconds": 0.25,
              "machine": {
                "cores": 2,
                "processor": "A 9",
                "kernel": "6.1",
                "memory_mb": 8000
              }
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&figures).unwrap());
    }

    #[test]
    fn a_good_story_reads_like_this() {
        let (_, verdict) = verdict(report(), 6);
        assert!(verdict.is_good());
        expect![[r"

            How it went
              requests                                   30,000  ok    at least 20,000
              failed, the bad canary aside                    0  ok    0
              not sent because the service stalled            0  ok    0
              failed by the bad canary                        3  ok    more than 0
              acknowledged writes                         9,000
                of these lost                                 0  ok    0
                of these not to be read back                  0  ok    0
              median answer                              1.0 ms
              99 % answered within                       8.5 ms
              canary deploy of 1.1.0                     31.4 s
              restore drill of the database               8.8 s
              exit code of the bad release                    6  ok    6
              requests that the bad release met          10,000
              rollback, typed to last request           0.250 s  ok    at most 1 s
              requests that 1.2.0 met before             10,000
              release that users have in the end          1.1.0  ok    1.1.0

            Nothing failed but what the bad canary answered, and nothing was lost."]]
        .assert_eq(&verdict.table());
    }

    #[test]
    fn whatever_failed_or_was_lost_makes_it_bad() {
        type Case = (&'static str, fn(&mut Report), i32);
        let cases: [Case; 7] = [
            ("few requests", |load| load.requests = 19_999, 6),
            ("a failure elsewhere", |load| load.failed = 4, 6),
            ("a stall", |load| load.missed = 1, 6),
            ("a lost write", |load| load.lost_writes = 1, 6),
            ("a write that cannot be read", |load| load.unverified_writes = 1, 6),
            (
                "users left on the wrong release",
                |load| load.by_release.retain(|name, _| name != CANARY),
                6,
            ),
            ("an automatic rollback that looks like success", |_| {}, 0),
        ];
        for (name, spoil, exit_code) in cases {
            let mut load = report();
            spoil(&mut load);
            assert!(!verdict(load, exit_code).1.is_good(), "{name}");
        }
    }

    #[test]
    fn a_slow_rollback_is_told_but_breaks_nothing() {
        let mut load = report();
        load.by_release
            .entry(TAKEN_BACK.to_owned())
            .and_modify(|answered| answered.last_sent_unix_ms = 81_001);
        let (_, verdict) = verdict(load, 6);
        assert!(verdict.is_good());
        assert!(
            verdict.table().contains("1.001 s  slow  at most 1 s"),
            "{}",
            verdict.table()
        );
    }

    #[test]
    fn a_failure_is_described() {
        let mut load = report();
        load.failed = 4;
        load.failures.push(failure(None));
        let (_, verdict) = verdict(load, 6);
        assert!(
            verdict
                .table()
                .contains("for example: GET /api/v1/tasks/{id}: answered 500 (by nobody)"),
            "{}",
            verdict.table()
        );
    }

    #[test]
    fn a_story_without_the_release_that_is_taken_back_is_none() {
        let mut load = report();
        load.by_release.remove(TAKEN_BACK);
        let error = Figures::of(&told(load, 6), machine()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the story did not go as it must: 1.2.0 never answered a request"
        );
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
