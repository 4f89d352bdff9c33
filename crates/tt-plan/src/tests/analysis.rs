//! What counts as good enough, as a table.

use std::time::Duration;

use expect_test::expect;

use super::world::environment;
use crate::{Sample, Verdict, judge};

fn verdict(requests: u64, errors: u64, p95_millis: Option<u64>) -> Verdict {
    judge(
        &environment().analysis,
        &Sample {
            requests,
            errors,
            p95: p95_millis.map(Duration::from_millis),
        },
    )
}

#[test]
fn table() {
    let rows = [
        (1000, 0, Some(50)),
        (1000, 10, Some(50)),
        (1000, 11, Some(50)),
        (1000, 0, Some(201)),
        (1000, 0, None),
        (99, 0, Some(50)),
        (0, 0, None),
        (5, 1, Some(50)),
        (5, 2, Some(50)),
    ];
    let lines: Vec<String> = rows
        .iter()
        .map(|(requests, errors, p95)| format!("{requests} {errors} {p95:?}: {:?}", verdict(*requests, *errors, *p95)))
        .collect();
    expect![[r"
        1000 0 Some(50): Passed
        1000 10 Some(50): Passed
        1000 11 Some(50): Failed { breach: ErrorRate { errors: 11, requests: 1000, limit_tenths: 10 } }
        1000 0 Some(201): Failed { breach: P95 { millis: 201, limit_millis: 200 } }
        1000 0 None: Inconclusive { gap: NoData }
        99 0 Some(50): Inconclusive { gap: TooFewRequests { requests: 99, needed: 100 } }
        0 0 None: Inconclusive { gap: NoData }
        5 1 Some(50): Inconclusive { gap: TooFewRequests { requests: 5, needed: 100 } }
        5 2 Some(50): Failed { breach: ErrorRate { errors: 2, requests: 5, limit_tenths: 10 } }"]]
    .assert_eq(&lines.join("\n"));
}
