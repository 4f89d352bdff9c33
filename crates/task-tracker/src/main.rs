//! The service as it is deployed; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    task_tracker::program(|routes| routes)
}
