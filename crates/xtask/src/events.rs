//! The JSON lines of `tt-ops --output json`, as far as a story needs them.

use std::{
    io::{BufRead, BufReader, Read},
    sync::mpsc::{Receiver, channel},
    thread,
};

use serde::Deserialize;

/// A fact that a run told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    /// A step begins.
    Started { step: String },
    /// A step is done.
    Finished { step: String, seconds: f64 },
    /// The run has ended.
    Ended { words: String },
}

/// Reads facts as they come, in a thread of its own; the channel closes when the program has closed its output.
pub(crate) fn follow(output: impl Read + Send + 'static) -> Receiver<Fact> {
    let (facts, received) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Even when nobody listens any more: a program whose pipe is closed under it would fail.
            let _nobody = fact(&line).map(|fact| facts.send(fact));
        }
    });
    received
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line {
    StepStarted { step: Step },
    StepFinished { step: String, seconds: f64 },
    Ended { error: Option<String> },
}

#[derive(Deserialize)]
struct Step {
    step: String,
}

/// `None` for all that a story does not need.
fn fact(line: &str) -> Option<Fact> {
    Some(match serde_json::from_str(line).ok()? {
        Line::StepStarted { step } => Fact::Started { step: step.step },
        Line::StepFinished { step, seconds } => Fact::Finished { step, seconds },
        Line::Ended { error } => Fact::Ended {
            words: error.unwrap_or_else(|| "done".to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_in_order_and_the_rest_is_passed_over() {
        let output = concat!(
            r#"{"v":1,"at":"2026-01-01T00:00:00Z","event":"locked","token":3,"taken_from":null}"#,
            "\n",
            r#"{"v":1,"at":"2026-01-01T00:00:00Z","event":"step-started","number":7,"of":8,"step":{"step":"bake","minutes":10}}"#,
            "\nnot JSON\n",
            r#"{"v":1,"at":"2026-01-01T00:00:00Z","event":"step-finished","number":7,"of":8,"step":"bake","seconds":1.5}"#,
            "\n",
            r#"{"v":1,"at":"2026-01-01T00:00:00Z","event":"ended","error":"taken back","exit_code":6}"#,
            "\n",
        );
        let facts: Vec<Fact> = follow(output.as_bytes()).into_iter().collect();
        let bake = || "bake".to_owned();
        assert_eq!(
            facts,
            [
                Fact::Started { step: bake() },
                Fact::Finished {
                    step: bake(),
                    seconds: 1.5
                },
                Fact::Ended {
                    words: "taken back".to_owned()
                }
            ]
        );
    }
}
