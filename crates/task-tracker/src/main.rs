//! The service as it is deployed; everything it does is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes dozens of small pieces and drops them soon: glibc spends a tenth of the time on that, this half of it (`perf`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    task_tracker::program(|routes| routes)
}
