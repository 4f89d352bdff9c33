//! The machine that figures come from: without it they mean nothing.

use std::{fmt, fs, thread};

use serde::Serialize;

/// What is worth knowing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) memory_mb: u64,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            processor: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or("unknown")
                .to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mb: kilobytes(&read("/proc/meminfo"), "MemTotal").unwrap_or(0) / 1024,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cores ({}), {} MB of memory, Linux {}",
            self.cores, self.processor, self.memory_mb, self.kernel
        )
    }
}

/// The most memory that a process has had so far, in kilobytes; `None` once it has ended.
pub(crate) fn peak_memory(process: u32) -> Option<u64> {
    kilobytes(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmHWM")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix("kB")?.trim().parse().ok()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_files_are_read() {
        assert_eq!(
            field("vendor_id\t: X\nmodel name\t: A 9 Y\n", "model name"),
            Some("A 9 Y")
        );
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmHWM:\t   2048 kB\n", "VmHWM"), Some(2048));
        assert_eq!(kilobytes("VmPeak:\t 9 kB\n", "VmHWM"), None);
        assert!(peak_memory(std::process::id()).unwrap() > 0);
    }
}
