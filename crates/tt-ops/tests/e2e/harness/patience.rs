//! Waiting for something to become true, with an end.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up. Nothing here takes a tenth of it on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {} s in vain: {what}",
            PATIENCE.as_secs()
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// To standard error past the test harness, which keeps what a passing test prints to itself.
pub(crate) fn say(text: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "{text}");
}
