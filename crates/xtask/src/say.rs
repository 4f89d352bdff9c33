//! The only place that prints.

use std::{
    error::Error,
    io::{self, Write},
};

use crate::failure::Failure;

/// One line for whoever watches.
pub(crate) fn line(text: impl AsRef<str>) {
    // A reader that has gone away (`| head`) is no reason to leave a story half told.
    let _closed = writeln!(io::stdout().lock(), "{}", text.as_ref());
}

/// The beginning of a part: what it is, and what to look for.
pub(crate) fn act(title: &str, explanation: &str) {
    line(format!("\n{title}\n{}", indented(explanation)));
}

/// The end of a chore that could not go on, with every cause on a line of its own.
pub(crate) fn failure(failure: &Failure) {
    let mut text = format!("error: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        text.push_str("\n  because: ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    let _closed = writeln!(io::stderr().lock(), "{text}");
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
